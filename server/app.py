"""The application: routes, errors and observation over the state that a lifespan provides."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from decoding.mathematics import MathsUnavailable
from server import errors
from server.disconnect import CLIENT_CLOSED_REQUEST, Disconnected
from server.observing import Observing
from server.routes import chat, completions, messages, models, operations, responses, tokens
from server.state import State


def create_app(serving: Callable[[], AbstractAsyncContextManager[State]]) -> FastAPI:
    """`serving` opens the state when the server starts and closes it when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serving() as state:
            app.state.bide = state
            yield

    app = FastAPI(title="Bide", lifespan=lifespan)
    for api in (chat, completions, responses, messages, tokens, models, operations):
        app.include_router(api.router)
    app.add_exception_handler(errors.ApiError, errors.on_api_error)
    app.add_exception_handler(MathsUnavailable, errors.on_maths_unavailable)
    app.add_exception_handler(RequestValidationError, errors.on_invalid_body)
    app.add_exception_handler(HTTPException, errors.on_http_error)
    app.add_exception_handler(Disconnected, _on_disconnect)
    app.add_middleware(Observing)
    return app


async def _on_disconnect(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
