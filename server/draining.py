"""A server that stops in steps: no new connections, then what runs, then the engine."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

import uvicorn

REPLIES = 5
"""Seconds for the errors of what was cut off to reach their clients."""


class DrainingServer(uvicorn.Server):
    """Gives running requests some seconds to end, and a clean error then.

    drain: called as soon as a signal tells the server to stop. cut: ends every call that still
    runs after `seconds`. A second signal ends them at once.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        seconds: float,
        drain: Callable[[], None],
        cut: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        super().__init__(config)
        # uvicorn cancels requests then, and their clients would read nothing.
        config.timeout_graceful_shutdown = int(seconds) + REPLIES
        self._seconds, self._drain, self._cut = seconds, drain, cut
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would also raise the signal again once it has stopped: it is obeyed by then.
        self.force_exit = self.should_exit
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._drain)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        limit = asyncio.create_task(self._limit())
        try:
            await super().shutdown(sockets)
        finally:
            limit.cancel()

    async def _limit(self) -> None:
        await asyncio.sleep(self._seconds)
        await self._cut()
