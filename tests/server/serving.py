"""A server over a scripted engine, with the small model's tokenizer and template."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from openai import AsyncOpenAI

from decoding import markers
from server.app import create_app
from server.config import Settings
from server.engine.model import Model
from server.engine.prompt import TokenizerCodec
from server.engine.supervisor import Condition
from server.state import State
from tests.scripted import Family, ScriptedEngine, spoken
from tests.server.engines import ScriptedEngines
from tests.tokenizer import small_tokenizer

CONTEXT = 2048

CHAT_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "POST",
    "path": "/v1/chat/completions",
    "raw_path": b"/v1/chat/completions",
    "query_string": b"",
    "headers": [(b"host", b"bide"), (b"content-type", b"application/json")],
}
"""Of a chat, for tests that are the server's own side of the connection."""


@cache
def small_family() -> Family:
    tokenizer = small_tokenizer()
    codec: Any = TokenizerCodec(tokenizer)
    ends = frozenset([int(tokenizer.eos_token_id)])
    return Family(codec, markers.resolve(markers.BIDE, codec, ends))


@dataclass
class Served:
    app: FastAPI
    state: State
    engine: ScriptedEngine
    http: httpx.AsyncClient
    openai: AsyncOpenAI

    async def chat(self, **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": "How many r in raspberry?"}]
        return await self.http.post("/v1/chat/completions", json={"messages": messages, **body})


def application(
    engine: ScriptedEngine,
    condition: Condition = "ready",
    tracing: Any = None,
    beside: ScriptedEngine | None = None,
    tokenizer: Any = None,
    **settings: Any,
) -> tuple[FastAPI, State]:
    """Not started yet: its lifespan is the caller's. beside: an engine that can be started."""
    chosen = Settings(**{"served_name": "small", "allowed_hosts": ["bide"], **settings})
    family = small_family()

    def model(of: ScriptedEngine) -> Model:
        return Model(of, tokenizer or small_tokenizer(), family.turn_ends, CONTEXT, chosen)

    engines = ScriptedEngines(engine, beside, model)
    state = State.build(chosen, model(engine), engines, lambda: condition, tracing)

    @asynccontextmanager
    async def serving() -> AsyncGenerator[State, None]:
        try:
            await state.begin()
            yield state
        finally:
            await state.close()

    return create_app(chosen, serving), state


@asynccontextmanager
async def served(
    engine: ScriptedEngine,
    condition: Condition = "ready",
    tracing: Any = None,
    beside: ScriptedEngine | None = None,
    tokenizer: Any = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    app, state = application(engine, condition, tracing, beside, tokenizer, **settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bide") as http,
    ):
        openai = AsyncOpenAI(
            base_url="http://bide/v1", api_key="none", http_client=http, max_retries=0
        )
        yield Served(app, state, engine, http, openai)


def saying(*calls: str, stalls: bool = False) -> ScriptedEngine:
    family = small_family()
    return ScriptedEngine(family, spoken(family.codec, *calls), stalls=stalls)
