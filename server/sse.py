"""Server-sent events."""

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from typing import Any, Protocol

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from decoding.mathematics import MathsUnavailable
from decoding.types import Event
from server.disconnect import Disconnected, unless_disconnected
from server.errors import ApiError, maths_unavailable
from server.outcome import Events

DONE = "data: [DONE]\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Telling(Protocol):
    """How an API tells of a request's events while they come, in server-sent events."""

    def opening(self) -> Iterable[str]: ...

    def see(self, index: int, event: Event) -> Iterable[str]:
        """index: the event's choice."""
        ...

    def closing(self) -> Iterable[str]:
        """After the last event."""
        ...

    def failed(self, error: ApiError) -> Iterable[str]:
        """Instead of all the rest. The status line is gone already: an event has to tell it."""
        ...


# Escaped to ASCII: many clients split lines at U+2028 and its like, which a text may hold.
_encode = json.JSONEncoder(separators=(",", ":")).encode


def event(data: dict[str, Any], name: str | None = None) -> str:
    line = f"data: {_encode(data)}\n\n"
    return f"event: {name}\n{line}" if name else line


class Frame:
    """An event of which one part alone changes, and the rest is written but once.

    data: the event, with `SLOT` in the place of that part.
    """

    SLOT = "\0slot\0"

    def __init__(self, data: dict[str, Any]) -> None:
        self._before, self._after = event(data).split(_encode(self.SLOT))

    def event(self, part: dict[str, Any]) -> str:
        return self._before + _encode(part) + self._after


def stream(events: Events, telling: Telling) -> "EventStream":
    return EventStream(_told(events, telling))


async def _told(events: Events, telling: Telling) -> AsyncGenerator[str, None]:
    for part in telling.opening():
        yield part
    try:
        async with aclosing(events):
            async for index, each in events:
                for part in telling.see(index, each):
                    yield part
    except (ApiError, MathsUnavailable) as error:
        known = error if isinstance(error, ApiError) else maths_unavailable(error)
        for part in telling.failed(known):
            yield part
        return
    for part in telling.closing():
        yield part


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
