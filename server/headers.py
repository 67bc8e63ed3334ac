"""Headers that a response gets whichever route or error makes it."""

from collections.abc import Mapping

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class NotedHeaders:
    """Middleware: adds to a response what was noted for its request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        noted = scope["bide.headers"] = dict[str, str]()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(noted)
            await send(message)

        await self._app(scope, receive, noting)


def note(request: Request, headers: Mapping[str, str]) -> None:
    request.scope["bide.headers"].update(headers)
