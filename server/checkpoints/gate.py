"""Lets requests in one by one, and can be closed until those inside have left."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from server.uses import Uses


class Gate:
    """A request that is in stays in, however many places it takes: it is never half this side."""

    def __init__(self) -> None:
        self._inside = Uses()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    @property
    def inside(self) -> int:
        return self._inside.count

    async def enter(self) -> None:
        await self._open.wait()
        self._inside.begin()

    def leave(self) -> None:
        self._inside.end()

    @asynccontextmanager
    async def closed(self, patience: float | None = None) -> AsyncGenerator[None, None]:
        """Nobody is inside, and who comes waits. Opens again whatever happens.

        patience: seconds. Raises TimeoutError where those inside take longer.
        """
        self._open.clear()
        try:
            async with asyncio.timeout(patience):
                await self._inside.none()
            yield
        finally:
            self._open.set()
