"""Who may enter the engine: as many programs at once as it holds, first come, first served.

A program keeps its place over all its engine calls. So a forced continuation never queues behind
newcomers, and its prefix is still cached when it comes.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Admission:
    def __init__(self, places: int) -> None:
        self._free = asyncio.Semaphore(places)
        self.running = 0
        self.waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None, None]:
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._free.release()
