"""A server that says what a test tells it to, on a real socket."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[str, bytes], Sequence[bytes]]
"""From a path and a body to the pieces of a response, head included; `ID` stands for its id."""

ID = b"{id}"


def response(status: int, body: bytes, kind: bytes = b"application/json") -> list[bytes]:
    head = b"HTTP/1.1 %d OK\r\nx-request-id: %s\r\ncontent-type: %s\r\n" % (status, ID, kind)
    return [head + b"content-length: %d\r\n\r\n" % len(body), body]


def stream(*events: bytes) -> list[bytes]:
    """Ends as the connection does."""
    head = b"HTTP/1.1 200 OK\r\nx-request-id: %s\r\n\r\n" % ID
    return [head, *(b"data: " + event + b"\n\n" for event in events)]


@dataclass
class FakeServer:
    url: str
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    cut: int = 0
    """Connections that were closed before all was said."""


@asynccontextmanager
async def answering(answer: Answer, pause: float = 0.01) -> AsyncGenerator[FakeServer, None]:
    """pause: seconds before each piece."""
    fake = FakeServer("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            content = await reader.readexactly(int(found[1]) if found else 0)
            path = head.split(b" ")[1].decode()
            fake.asked.append((path, content))
            told = re.search(rb"(?i)x-request-id: (\S+)", head)
            try:
                for piece in answer(path, content):
                    await asyncio.sleep(pause)
                    if reader.at_eof():
                        raise ConnectionResetError
                    writer.write(piece.replace(ID, told[1] if told else b""))
                    await writer.drain()
            except ConnectionError:
                fake.cut += 1
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        fake.url = f"http://{host}:{port}"
        yield fake
