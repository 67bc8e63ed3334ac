"""Streams of completions, read as cheaply as can be: the load shares the machine with the server.

Nothing is parsed before a stream's end but what marks its first text.
"""

import asyncio
import json
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clients.wire import BideError

FIRST_TEXT = re.compile(rb'"content": ?"[^"]')
DONE = b"data: [DONE]"
USAGE = re.compile(rb'"usage": ?\{[^}]*"completion_tokens": ?(\d+)')


@dataclass(frozen=True, slots=True)
class Stream:
    """first: seconds from the request to its first text."""

    first: float
    tokens: int


async def streamed(url: str, body: dict[str, Any]) -> Stream:
    """Ask the server at `url` for a chat completion, streamed.

    Raises BideError for anything but a whole stream.
    """
    address = urlsplit(url)
    assert address.hostname is not None
    path = f"{address.path.rstrip('/')}/v1/chat/completions"
    reader = Reader(request(path, address.netloc, body))
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(
            lambda: reader, address.hostname, address.port or 80
        )
    except OSError as error:
        raise BideError(f"cannot reach {url}: {error.strerror}") from error
    try:
        await reader.ended
    finally:
        transport.close()
        await reader.closed
    return reader.stream()


def request(path: str, host: str, body: dict[str, Any]) -> bytes:
    content = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}})
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content.encode()


class Reader(asyncio.Protocol):
    """One connection: sends the request once connected, and notes when its first text came."""

    def __init__(self, asking: bytes) -> None:
        self._asking = asking
        self._received = bytearray()
        self._asked = 0.0
        self._first: float | None = None
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._asked = time.perf_counter()
        transport.write(self._asking)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._first is None and FIRST_TEXT.search(self._received):
            self._first = time.perf_counter()
        # What marks the end may have come in two pieces.
        if DONE in self._received[-len(data) - len(DONE) :]:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self.closed.set_result(None)

    def stream(self) -> Stream:
        usage = USAGE.search(self._received)
        if self._first is None or usage is None:
            raise BideError(f"no whole stream: {bytes(self._received[-500:])!r}")
        return Stream(self._first - self._asked, int(usage[1]))

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
