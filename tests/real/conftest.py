"""One real vLLM engine for all tests, in fp32, served over HTTP from a thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import uvicorn
from openai import AsyncOpenAI, OpenAI

from server import logs
from server.__main__ import listen
from server.config import RELEASED, Settings
from server.engine.model import Model
from server.state import State
from tests.real.process import address, start
from tests.real.swapping import noisy
from training.registry import Registry

Result = TypeVar("Result")
READER = "bide-mini-lookups"


@dataclass
class RealServer:
    """A served model. `engine_run` runs a coroutine where the engine lives."""

    url: str
    openai: OpenAI
    state: State
    loop: asyncio.AbstractEventLoop

    @property
    def model(self) -> Model:
        return self.state.models.served

    @property
    def async_openai(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0)

    def engine_run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=300)


@pytest.fixture(scope="session")
def server() -> Iterator[RealServer]:
    settings = Settings(dtype="float32", port=0, kv_cache_gib=0.5)
    logs.configure(settings.log_level, settings.log_format)
    from server.app import create_app
    from server.serving import fleet, serving

    listening = listen(settings.host, settings.port)
    ready: list[RealServer] = []

    @asynccontextmanager
    async def kept() -> AsyncIterator[State]:
        async with fleet(settings) as engines, serving(settings, engines) as state:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
            ready.append(RealServer(url, client, state, asyncio.get_running_loop()))
            yield state

    config = uvicorn.Config(
        create_app(settings, kept), log_level="warning", timeout_graceful_shutdown=2
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    started = threading.Event()
    for _ in range(6000):
        if running.started or not thread.is_alive():
            break
        started.wait(0.1)
    assert running.started or not thread.is_alive(), "the server did not start in ten minutes"
    assert ready, "the server did not start: see its error above"
    with ready[0].openai:
        yield ready[0]
    running.should_exit = True
    thread.join(timeout=60)


@dataclass(frozen=True)
class Swapped:
    """A server in a process of its own, that serves `mini/v1` of this registry; v2 is noise."""

    url: str
    registry: Registry
    pid: int


@pytest.fixture(scope="session")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swapped]:
    root = tmp_path_factory.mktemp("registry")
    registry = Registry(root / "all")
    registry.publish(RELEASED, "mini")
    registry.publish(noisy(root / "noisy"), "mini")
    model = str(registry.resolve("mini", "v1").folder)
    process = start(
        [
            *("--port", "0", "--log-level", "warning", "--kv-cache-gib", "0.1"),
            *("--dtype", "float32", "--model", model, "--registry", str(registry.root)),
            *("--max-adapters", "20"),
        ]
    )
    try:
        yield Swapped(address(process), registry, process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=60)


@dataclass(frozen=True)
class Reader:
    """A server in a process of its own, of the shipped checkpoint that looks facts up."""

    url: str

    @property
    def async_openai(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    process = start(
        [
            *("--port", "0", "--log-level", "warning", "--kv-cache-gib", "0.1"),
            *("--dtype", "float32", "--model", READER),
            *("--indexes", str(tmp_path_factory.mktemp("indexes"))),
        ]
    )
    try:
        yield Reader(address(process))
    finally:
        process.terminate()
        process.communicate(timeout=60)
