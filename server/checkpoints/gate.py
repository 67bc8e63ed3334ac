"""Lets requests in one by one, and can be closed until those inside have left."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Gate:
    """A request that is in stays in, however many places it takes: it is never half this side."""

    def __init__(self) -> None:
        self.inside = 0
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def enter(self) -> None:
        await self._open.wait()
        self.inside += 1
        self._empty.clear()

    def leave(self) -> None:
        self.inside -= 1
        if not self.inside:
            self._empty.set()

    @asynccontextmanager
    async def closed(self, patience: float | None = None) -> AsyncGenerator[None, None]:
        """Nobody is inside, and who comes waits. Opens again whatever happens.

        patience: seconds. Raises TimeoutError where those inside take longer.
        """
        self._open.clear()
        try:
            async with asyncio.timeout(patience):
                await self._empty.wait()
            yield
        finally:
            self._open.set()
