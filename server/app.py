"""The application: routes, errors and observation over the state that a lifespan provides."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware

from decoding.mathematics import MathsUnavailable
from server import errors
from server.auth import Authentication, anybody, open_paths
from server.body_limit import BodyLimit
from server.config import Settings
from server.disconnect import CLIENT_CLOSED_REQUEST, Disconnected
from server.headers import NotedHeaders
from server.hosts import Hosts, answered
from server.keys import Keys
from server.observing import Observing
from server.openapi import Documented
from server.routes import (
    adapters,
    aliases,
    chat,
    checkpoints,
    completions,
    indexes,
    messages,
    models,
    operations,
    responses,
    tokens,
)
from server.state import State


def create_app(
    settings: Settings, serving: Callable[[], AbstractAsyncContextManager[State]]
) -> FastAPI:
    """`serving` opens the state when the server starts and closes it when it stops.

    Raises KeysError.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serving() as state:
            app.state.bide = state
            yield

    app = Documented(title="Bide", lifespan=lifespan, asks_for_keys=settings.keys is not None)
    served = (chat, completions, responses, messages, tokens, models, indexes, operations)
    for api in (*served, checkpoints, adapters, aliases):
        app.include_router(api.router)
    app.add_exception_handler(errors.ApiError, errors.on_api_error)
    app.add_exception_handler(MathsUnavailable, errors.on_maths_unavailable)
    app.add_exception_handler(RequestValidationError, errors.on_invalid_body)
    app.add_exception_handler(HTTPException, errors.on_http_error)
    app.add_exception_handler(Disconnected, _on_disconnect)
    app.add_middleware(NotedHeaders)
    _guard(app, settings)
    # Starlette's own stands outside all middleware: its answer would have no id, and be unseen.
    app.add_middleware(ServerErrorMiddleware, handler=errors.on_internal_error)
    app.add_middleware(Observing)
    return app


def _guard(app: FastAPI, settings: Settings) -> None:
    """The last to be added is the first to be asked.

    Names before all, because a page under another is to be told nothing; CORS before the key,
    because browsers ask without one whether they may ask, and must be let read a 401; the key
    before the body, because a stranger's is not worth its memory.
    """
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(
        Authentication,
        keys=Keys(settings.keys) if settings.keys else None,
        anybody=anybody(settings),
        open_paths=open_paths(settings),
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("*",),
            expose_headers=("Retry-After", "X-Request-ID"),
        )
    if names := answered(settings):
        app.add_middleware(Hosts, names=names)


async def _on_disconnect(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
