"""Server-sent events."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Protocol

from fastapi.responses import StreamingResponse

from decoding.mathematics import MathsUnavailable
from decoding.types import Event
from server.errors import ApiError, EngineUnavailable
from server.outcome import Events

DONE = "data: [DONE]\n\n"


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


def event(data: dict[str, Any], name: str | None = None) -> str:
    # Escaped to ASCII: many clients split lines at U+2028 and its like, which a text may hold.
    line = f"data: {json.dumps(data, separators=(',', ':'))}\n\n"
    return f"event: {name}\n{line}" if name else line


def stream(events: Events, telling: Telling) -> StreamingResponse:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    parts = _told(events, telling)
    return StreamingResponse(parts, media_type="text/event-stream", headers=headers)


async def _told(events: Events, telling: Telling) -> AsyncIterator[str]:
    for part in telling.opening():
        yield part
    try:
        async with aclosing(events):
            async for index, each in events:
                for part in telling.see(index, each):
                    yield part
    except (ApiError, MathsUnavailable) as error:
        known = error if isinstance(error, ApiError) else EngineUnavailable(str(error))
        for part in telling.failed(known):
            yield part
        return
    for part in telling.closing():
        yield part
