"""A served model from its engine's start to its stop. Importing this takes vLLM's seconds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from decoding.markers import MarkerError
from server.checkpoints.following import following
from server.config import Settings
from server.engine import engine_metrics
from server.engine.adapters import Adapter
from server.engine.model import Model
from server.engine.preflight import CannotStart, check_checkpoint
from server.engine.supervisor import Condition, Supervisor
from server.engine.swapping import Beside
from server.engine.vllm_engine import VllmEngine
from server.errors import EngineUnavailable
from server.state import State

if TYPE_CHECKING:
    from server.tracing import Tracing


Start = Callable[[Settings], Awaitable[VllmEngine]]


class Supervised(Supervisor[VllmEngine]):
    """The engine of these settings, whose weights may be exchanged; to those who call it, one."""

    def __init__(self, engine: VllmEngine, settings: Settings, start: Start) -> None:
        self.settings = settings
        super().__init__(engine, lambda: start(self.settings))

    async def pause(self) -> None:
        await self.engine.pause()

    async def reload(self, folder: Path) -> None:
        await self.engine.reload(folder)

    async def resume(self) -> None:
        await self.engine.resume()

    async def prove(self) -> None:
        await self.engine.prove()

    async def add(self, adapter: Adapter) -> None:
        await self.engine.add(adapter)

    async def remove(self, adapter: Adapter) -> None:
        await self.engine.remove(adapter)

    async def fail(self) -> None:
        await self._current.stop()

    def keep(self, folder: Path) -> None:
        self.settings = self.settings.model_copy(update={"model": str(folder)})

    def model(self) -> Model:
        # Every engine of these settings has the same tokenizer and context.
        first = self.engine
        return Model(self, first.tokenizer, first.turn_ends, first.max_model_len, self.settings)


class Fleet:
    """The engine that serves, one that may be about to, and those that end.

    start: of one engine, whatever it is for. One at a time: an engine that ends takes with it what
    was started while it was.
    """

    def __init__(self, start: Start = VllmEngine.start) -> None:
        self._start_engine = start
        self._starts = asyncio.Lock()
        self._all: list[Supervised] = []
        self._starting: set[asyncio.Task[VllmEngine]] = set()
        self._stopping = False

    async def begin(self, settings: Settings) -> None:
        """With one engine. Raises CannotStart."""
        # Its name is the clients', whatever the folder's is that comes later.
        named = settings.model_copy(update={"served_name": settings.name})
        self.current = await self._supervised(named)

    @property
    def condition(self) -> Condition:
        return self.current.condition

    async def beside(self, folder: Path) -> Beside:
        settings = self.current.settings.model_copy(update={"model": str(folder)})
        check_checkpoint(settings.model, settings.max_model_len)
        told = engine_metrics.registered()
        try:
            engine = await self._supervised(settings)
        except BaseException:
            engine_metrics.restore(told)
            raise

        async def give_up() -> None:
            await engine.close()
            engine_metrics.restore(told)

        def take_over() -> None:
            self.current = engine

        try:
            return Beside(engine, engine.model(), take_over, give_up)
        except (MarkerError, EngineUnavailable) as error:
            await give_up()
            raise CannotStart(f"{folder.name} cannot be served: {error}") from error

    async def _supervised(self, settings: Settings) -> Supervised:
        """Raises CannotStart, also where the server stops meanwhile."""
        starting = asyncio.create_task(self._start(settings))
        self._starting.add(starting)
        try:
            engine = Supervised(await starting, settings, self._start)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            raise CannotStart("the server stops") from None
        finally:
            self._starting.discard(starting)
        self._all = [each for each in self._all if each.condition != "stopped"] + [engine]
        return engine

    async def _start(self, settings: Settings) -> VllmEngine:
        async with self._starts:
            return await self._start_engine(settings)

    def drain(self) -> None:
        for each in self._all:
            each.drain()

    async def close(self) -> None:
        """Ends all engines, also one that is just being started, and all calls."""
        self._stopping = True
        starting = list(self._starting)
        for each in starting:
            each.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        for engine in self._all:
            await engine.close()


@asynccontextmanager
async def fleet(settings: Settings) -> AsyncIterator[Fleet]:
    """With one engine at first. Raises CannotStart."""
    engines = Fleet()
    try:
        await engines.begin(settings)
        yield engines
    finally:
        await engines.close()


@asynccontextmanager
async def serving(settings: Settings, engines: Fleet) -> AsyncIterator[State]:
    """Raises CannotStart where an adapter or an alias of the settings cannot be."""
    model = engines.current.model()
    state = State.build(settings, model, engines, lambda: engines.condition, tracing(settings))
    try:
        await state.begin()
        async with following(state.checkpoints, settings.follow, settings.follow_every):
            yield state
    finally:
        await state.close()


def tracing(settings: Settings) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    from server.tracing import Tracing

    return Tracing.to(str(settings.otlp_endpoint))
