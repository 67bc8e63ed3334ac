"""A served model from its engine's start to its stop. Importing this takes vLLM's seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from server.config import Settings
from server.engine.model import Model
from server.engine.vllm_engine import VllmEngine
from server.state import State

if TYPE_CHECKING:
    from server.tracing import Tracing


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[State]:
    engine = VllmEngine.start(settings)
    try:
        model = Model(engine, engine.tokenizer, engine.turn_ends, engine.max_model_len, settings)
        state = State.build(settings, model, engine.check, tracing(settings))
        try:
            yield state
        finally:
            await state.close()
    finally:
        engine.stop()


def tracing(settings: Settings) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    from server.tracing import Tracing

    return Tracing.to(str(settings.otlp_endpoint))
