"""A served model from its engine's start to its stop. Importing this takes vLLM's seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from server.config import Settings
from server.engine.model import Model
from server.engine.supervisor import Supervisor
from server.engine.vllm_engine import VllmEngine
from server.state import State

if TYPE_CHECKING:
    from server.tracing import Tracing


@asynccontextmanager
async def supervised(settings: Settings) -> AsyncIterator[Supervisor[VllmEngine]]:
    """Raises CannotStart."""
    supervisor = Supervisor(await VllmEngine.start(settings), lambda: VllmEngine.start(settings))
    try:
        yield supervisor
    finally:
        await supervisor.close()


@asynccontextmanager
async def serving(settings: Settings, supervisor: Supervisor[VllmEngine]) -> AsyncIterator[State]:
    # Every engine of these settings has the same tokenizer and context.
    first = supervisor.engine
    model = Model(supervisor, first.tokenizer, first.turn_ends, first.max_model_len, settings)
    state = State.build(settings, model, lambda: supervisor.condition, tracing(settings))
    try:
        yield state
    finally:
        await state.close()


def tracing(settings: Settings) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    from server.tracing import Tracing

    return Tracing.to(str(settings.otlp_endpoint))
