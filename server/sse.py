"""Server-sent events."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from server.disconnect import Disconnected, unless_disconnected

DONE = "data: [DONE]\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event(data: dict[str, Any]) -> str:
    # Escaped to ASCII: many clients split lines at U+2028 and its like, which a text may hold.
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


class EventStream(StreamingResponse):
    """Sends events as they come, and closes their generator whatever ends it.

    A client may leave between two events. Then nobody waits inside the generator, and left to the
    garbage collector its engine calls would run on until that comes by.
    """

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=HEADERS)
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # In a task that is cancelled once. Starlette's own would be at every step from then on,
        # also while it waits for its engine calls to be aborted.
        with suppress(Disconnected):
            await unless_disconnected(Request(scope, receive), self._all(send))

    async def _all(self, send: Send) -> None:
        async with aclosing(self._events):
            await self.stream_response(send)
