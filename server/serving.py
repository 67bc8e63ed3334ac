"""A served model from its engine's start to its stop. Importing this takes vLLM's seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from server.config import Settings
from server.engine.model import Model
from server.engine.supervisor import Supervisor
from server.engine.vllm_engine import VllmEngine
from server.state import State

if TYPE_CHECKING:
    from server.tracing import Tracing


class Supervised(Supervisor[VllmEngine]):
    """The engine of these settings, whose weights may be exchanged; to those who call it, one."""

    def __init__(self, engine: VllmEngine, settings: Settings) -> None:
        self._settings = settings
        super().__init__(engine, lambda: VllmEngine.start(self._settings))

    async def pause(self) -> None:
        await self.engine.pause()

    async def reload(self, folder: Path) -> None:
        await self.engine.reload(folder)

    async def resume(self) -> None:
        await self.engine.resume()

    async def prove(self) -> None:
        await self.engine.prove()

    async def fail(self) -> None:
        await self._current.stop()

    def keep(self, folder: Path) -> None:
        self._settings = self._settings.model_copy(update={"model": str(folder)})


@asynccontextmanager
async def supervised(settings: Settings) -> AsyncIterator[Supervised]:
    """Raises CannotStart."""
    supervisor = Supervised(await VllmEngine.start(settings), settings)
    try:
        yield supervisor
    finally:
        await supervisor.close()


@asynccontextmanager
async def serving(settings: Settings, supervisor: Supervised) -> AsyncIterator[State]:
    # Every engine of these settings has the same tokenizer and context.
    first = supervisor.engine
    model = Model(supervisor, first.tokenizer, first.turn_ends, first.max_model_len, settings)
    state = State.build(
        settings, model, supervisor, lambda: supervisor.condition, tracing(settings)
    )
    try:
        yield state
    finally:
        await state.close()


def tracing(settings: Settings) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    from server.tracing import Tracing

    return Tracing.to(str(settings.otlp_endpoint))
