"""A server that was told to stop: what runs ends by itself, or with a clean error."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn

from server.__main__ import listen
from server.draining import DrainingServer


@dataclass
class Slow:
    """An application whose replies wait: 200 once they are let go, 503 once they are cut."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    ended: "asyncio.Future[int]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    draining: bool = False

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self.asked.set()
        status = await asyncio.shield(self.ended)
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": b""})

    def drain(self) -> None:
        self.draining = True

    async def cut(self) -> None:
        self.ended.set_result(503)


@dataclass
class Running:
    app: Slow
    server: DrainingServer
    serving: "asyncio.Task[None]"
    url: str

    def stop(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)


@asynccontextmanager
async def asked(seconds: float) -> AsyncIterator[tuple[Running, "asyncio.Task[httpx.Response]"]]:
    """A server that was asked something."""
    app, listening = Slow(), listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(app, lifespan="off", log_level="critical")
    server = DrainingServer(config, seconds, app.drain, app.cut)
    running = Running(app, server, asyncio.create_task(server.serve([listening])), url)
    async with asyncio.timeout(30), httpx.AsyncClient(timeout=30) as client:
        while not server.started:
            await asyncio.sleep(0.01)
        asking = asyncio.create_task(client.get(url))
        await app.asked.wait()
        yield running, asking
        await running.serving
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def ask_until_refused(url: str) -> None:
    async with httpx.AsyncClient(timeout=0.2) as client:
        while True:
            await client.get(url)


async def test_what_runs_may_end_and_nobody_else_may_come() -> None:
    async with asked(seconds=30) as (running, asking):
        running.stop()
        with pytest.raises(httpx.TransportError):
            await ask_until_refused(running.url)
        assert running.app.draining
        assert not running.serving.done()
        running.app.ended.set_result(200)
        assert (await asking).status_code == 200


async def test_what_runs_too_long_gets_its_error() -> None:
    async with asked(seconds=0) as (running, asking):
        running.stop()
        assert (await asking).status_code == 503


async def test_a_second_signal_ends_it_at_once() -> None:
    async with asked(seconds=30) as (running, asking):
        running.stop()
        running.stop()
        await running.serving
        assert not running.app.ended.done()
        assert not asking.done()
        running.app.ended.cancel()
