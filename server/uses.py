"""How many requests use something, so that it can be put away once none does."""

import asyncio


class Uses:
    def __init__(self) -> None:
        self.count = 0
        self._none = asyncio.Event()
        self._none.set()

    def begin(self) -> None:
        self.count += 1
        self._none.clear()

    def end(self) -> None:
        self.count -= 1
        if not self.count:
            self._none.set()

    async def none(self) -> None:
        """Waits until nobody is left."""
        await self._none.wait()
