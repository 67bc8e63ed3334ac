"""Streams, and clients that leave them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server import sse


async def test_what_a_stream_does_as_it_ends_is_not_cancelled_when_a_client_leaves() -> None:
    begun, steps = asyncio.Event(), []

    async def events() -> AsyncGenerator[str, None]:
        try:
            yield sse.event({"a": "\u2028"})
            await asyncio.Event().wait()
        finally:
            for step in range(5):
                await asyncio.sleep(0)
                steps.append(step)

    async def receive() -> dict[str, Any]:
        await begun.wait()
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            begun.set()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "headers": []}
    async with asyncio.timeout(5):
        await sse.EventStream(events())(scope, receive, send)
    assert steps == [0, 1, 2, 3, 4]
    assert [message.get("body") for message in sent[1:]] == [b'data: {"a":"\\u2028"}\n\n']


@given(st.text(), st.text())
def test_a_frame_writes_the_events_that_it_stands_for(fixed: str, changing: str) -> None:
    def data(delta: Any) -> dict[str, Any]:
        return {"id": fixed, "choices": [{"delta": delta, "logprobs": None}]}

    frame = sse.Frame(data(sse.Frame.SLOT))
    assert frame.event({"content": changing}) == sse.event(data({"content": changing}))
