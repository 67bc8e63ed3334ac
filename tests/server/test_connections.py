"""Slow clients and idle ones, on real sockets."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn

from server.connections import LARGEST_HEAD, ConnectionLimits, limited
from tests.server.serving import saying, served

FOREVER = 600.0
AT_ONCE = 0.05
HOST = "127.0.0.1"
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: bide\r\nContent-Type: application/json\r\n"
ALIVE = b"GET /health HTTP/1.1\r\nHost: bide\r\n\r\n"


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *texts: bytes) -> None:
        for text in texts:
            self.writer.write(text)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """The next answer's status line; its body is read too. b"" once the server has closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return head.split(b"\r\n")[0]

    async def closed(self) -> bool:
        """Waits for the server to close, which has nothing more to say."""
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True


@dataclass
class Listening:
    server: uvicorn.Server
    port: int
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection(HOST, self.port))
        self.clients.append(client)
        return client


@asynccontextmanager
async def listening(
    most: int = 100,
    head: float = FOREVER,
    body: float = FOREVER,
    unread: float = FOREVER,
    keep_alive: float = FOREVER,
) -> AsyncIterator[Listening]:
    async with served(saying("r r\n</think>", "\nThe answer is 2.<|end|>")) as server:
        config = uvicorn.Config(
            server.app,
            host=HOST,
            port=0,
            http=limited(ConnectionLimits(most, head, body, unread)),
            ws="none",
            lifespan="off",
            log_level="critical",
            timeout_keep_alive=keep_alive,  # type: ignore[arg-type]
            timeout_graceful_shutdown=1,
        )
        running = uvicorn.Server(config)
        serving = asyncio.create_task(running.serve())
        async with asyncio.timeout(60):
            while not running.started:
                await asyncio.sleep(0.01)
            here = Listening(running, running.servers[0].sockets[0].getsockname()[1])
            try:
                yield here
            finally:
                for client in here.clients:
                    client.writer.close()
                running.should_exit = True
                await serving


@pytest.mark.parametrize("start", [b"", b"GET /health HT", HEAD])
async def test_a_head_that_does_not_come_is_not_waited_for(start: bytes) -> None:
    async with listening(head=AT_ONCE) as server:
        client = await server.connect()
        await client.say(start)
        assert await client.closed()


async def test_a_byte_now_and_then_wins_no_time() -> None:
    async with listening(head=0.3) as server:
        client = await server.connect()
        closed = asyncio.create_task(client.closed())
        await client.say(b"GET /health HTTP/1.1\r\n")
        for i in range(1000):
            if closed.done():
                break
            client.writer.write(b"X-%d: 1\r\n" % i)
            await asyncio.sleep(0.02)
        assert await closed


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async with listening(body=AT_ONCE) as server:
        client = await server.connect()
        await client.say(HEAD, b"Content-Length: 100\r\n\r\n", b'{"messages"')
        assert await client.closed()


async def test_what_arrives_in_time_is_answered_however_it_is_cut() -> None:
    async with listening() as server:
        client = await server.connect()
        for i in range(len(ALIVE)):
            await client.say(ALIVE[i : i + 1])
        assert await client.answer() == b"HTTP/1.1 200 OK"
        await client.say(HEAD, b"Content-Length: 2\r\n\r\n", b"{")
        await client.say(b"}")
        assert await client.answer() == b"HTTP/1.1 400 Bad Request"
        await client.say(ALIVE, ALIVE)
        assert [await client.answer() for _ in range(2)] == [b"HTTP/1.1 200 OK"] * 2


async def test_time_counts_anew_for_each_request() -> None:
    async with listening(head=0.4) as server:
        client = await server.connect()
        for _ in range(3):
            await client.say(ALIVE[:9])
            await asyncio.sleep(0.2)
            await client.say(ALIVE[9:])
            assert await client.answer() == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("cut", [len(ALIVE), 9])
async def test_what_has_arrived_is_timed_no_more(cut: int) -> None:
    async with listening(head=0.2, body=0.2) as server:
        client = await server.connect()
        for _ in range(2):
            await client.say(ALIVE[:cut])
            await asyncio.sleep(0.01)
            await client.say(ALIVE[cut:])
            assert await client.answer() == b"HTTP/1.1 200 OK"
            await asyncio.sleep(0.4)


async def test_a_request_behind_another_is_not_idle() -> None:
    async with listening(most=1) as server:
        client = await server.connect()
        half = HEAD + b"Content-Length: 2\r\n\r\n{"
        await client.say(ALIVE + half)
        assert await client.answer() == b"HTTP/1.1 200 OK"
        assert await (await server.connect()).closed()
        await client.say(b"}")
        assert await client.answer() == b"HTTP/1.1 400 Bad Request"


async def test_a_refused_clients_body_is_not_waited_for_either() -> None:
    async with listening(body=AT_ONCE) as server:
        client = await server.connect()
        await client.say(b"POST /v1/nothing HTTP/1.1\r\nHost: bide\r\nContent-Length: 9\r\n\r\nabc")
        assert await client.answer() == b"HTTP/1.1 404 Not Found"
        assert await client.closed()


async def test_a_connection_that_goes_idle_late_is_closed_too() -> None:
    async with listening(keep_alive=0.1) as server:
        client = await server.connect()
        await client.say(b"POST /v1/nothing HTTP/1.1\r\nHost: bide\r\nContent-Length: 9\r\n\r\nabc")
        assert await client.answer() == b"HTTP/1.1 404 Not Found"
        await client.say(b"defghi")
        assert await client.closed()


@pytest.mark.parametrize(
    "start",
    [
        b"GET /health HTTP/1.1\r\nX: ",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;x=",
    ],
    ids=["head", "trailer", "extension"],
)
async def test_no_more_than_a_heads_worth_is_kept_in_memory(start: bytes) -> None:
    async with listening() as server:
        client = await server.connect()
        await client.say(start)
        try:
            for _ in range(100):
                await client.say(b"x" * LARGEST_HEAD)
        except ConnectionError:
            return
        assert await client.closed()


async def test_a_client_that_reads_nothing_is_not_written_to_forever() -> None:
    async with listening(unread=AT_ONCE) as server:
        client = await server.connect()
        await client.say(b"GET /openapi.json HTTP/1.1\r\nHost: bide\r\n\r\n" * 1000)
        while server.server.server_state.connections:
            await asyncio.sleep(0.01)


async def test_a_client_that_reads_late_gets_all() -> None:
    async with listening(unread=FOREVER) as server:
        client = await server.connect()
        asking = b"GET /openapi.json HTTP/1.1\r\nHost: bide\r\n\r\n" * 400
        await client.say(asking)
        (connection,) = server.server.server_state.connections
        while not connection.flow.write_paused:
            await asyncio.sleep(0.01)
        for _ in range(400):
            assert await client.answer() == b"HTTP/1.1 200 OK"


async def test_a_thousand_idle_connections_are_borne() -> None:
    needed = 4096
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        async with listening(most=1100) as server:
            idle = [await server.connect() for _ in range(1000)]
            for client in idle[::2]:
                await client.say(ALIVE[:7])
            async with httpx.AsyncClient() as http:
                url = f"http://{HOST}:{server.port}/v1/chat/completions"
                body = {"messages": [{"role": "user", "content": "How many r in raspberry?"}]}
                assert (await http.post(url, json=body)).status_code == 200
            await idle[0].say(ALIVE[7:])
            assert await idle[0].answer() == b"HTTP/1.1 200 OK"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_the_one_idle_longest_makes_room() -> None:
    async with listening(most=2) as server:
        first, second = await server.connect(), await server.connect()
        for client in (first, second, first):  # the second is idle for longer now
            await client.say(ALIVE)
            assert await client.answer() == b"HTTP/1.1 200 OK"
        third = await server.connect()
        assert await second.closed()
        for client in (first, third):
            await client.say(ALIVE)
            assert await client.answer() == b"HTTP/1.1 200 OK"


async def test_where_none_is_idle_the_newcomer_is_refused() -> None:
    async with listening(most=1) as server:
        busy = await server.connect()
        await busy.say(HEAD, b"Content-Length: 2\r\n\r\n")
        await asyncio.sleep(0.05)  # until its head has come
        assert await (await server.connect()).closed()
        await busy.say(b"{}")
        assert await busy.answer() == b"HTTP/1.1 400 Bad Request"
