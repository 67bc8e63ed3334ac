"""Streams that are only timed: what is asked, and what counts as a whole one."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from clients.streams import streamed
from clients.wire import BideError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"delta":{"content":"Yes"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7}}\n\n'
DONE = b"data: [DONE]\n\n"


@asynccontextmanager
async def saying(
    pieces: Sequence[bytes], asked: list[bytes] | None = None
) -> AsyncGenerator[str, None]:
    """A server that sends these pieces, and then nothing; it closes only after the last."""

    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        content = await reader.readexactly(length)
        if asked is not None:
            asked.extend([head, content])
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
        await asyncio.gather(*answering)


async def test_a_stream_is_asked_for_with_its_usage() -> None:
    asked: list[bytes] = []
    async with saying([HEAD, ROLE, WORD, USAGE, DONE], asked) as url:
        stream = await streamed(url, {"messages": []})
    assert stream.tokens == 7
    assert asked[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert json.loads(asked[1]) == {
        "messages": [],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_the_first_text_is_not_the_opening() -> None:
    quick = [HEAD + ROLE + WORD + USAGE + DONE]
    slow = [HEAD, ROLE, *[b": nothing yet\n\n"] * 10, WORD + USAGE + DONE]
    async with saying(quick) as one, saying(slow) as other:
        assert (await streamed(one, {})).first < (await streamed(other, {})).first


@pytest.mark.parametrize("at", range(len(DONE)))
async def test_the_end_may_come_in_two_pieces(at: int) -> None:
    async with saying([HEAD + WORD + USAGE + DONE[:at], DONE[at:]]) as url:
        assert (await streamed(url, {})).tokens == 7


@pytest.mark.parametrize(
    "pieces", [[HEAD, WORD, DONE], [HEAD, ROLE, USAGE, DONE], [b"HTTP/1.1 500"]]
)
async def test_what_is_no_whole_stream_is_an_error(pieces: list[bytes]) -> None:
    async with saying(pieces) as url:
        with pytest.raises(BideError, match="no whole stream"):
            await streamed(url, {})


async def test_a_server_that_is_not_there_is_named() -> None:
    async with saying([]) as url:
        pass
    with pytest.raises(BideError, match=f"cannot reach {url}"):
        await streamed(url, {})
