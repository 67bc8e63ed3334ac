"""Who may ask: the key is looked at before anything else of a request."""

from collections.abc import Mapping, Set

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from server import errors
from server.caller import ANYBODY, STRANGER, Caller
from server.config import Settings
from server.keys import Keys

OPEN = frozenset({"/health", "/ready", "/version"})
"""What a load balancer asks, without a key."""


class Authentication:
    """Names who asks in `request.state.caller`, or answers 401.

    ASGI and no dependency of the routes: those have a body read and parsed first, also a
    stranger's; and a route that forgets its dependency would be open.

    keys: None lets everybody in as `anybody`. open_paths: need no key, whoever asks.
    """

    def __init__(
        self, app: ASGIApp, keys: Keys | None, anybody: Caller, open_paths: Set[str]
    ) -> None:
        self._app, self._keys = app, keys
        self._anybody, self._open = anybody, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = self._caller(scope)
        if caller is None:
            await errors.response(scope, errors.Unauthenticated())(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller | None:
        if scope["path"] in self._open:
            return ANYBODY
        if self._keys is None:
            return self._anybody
        key = presented(dict(scope["headers"]))
        return None if key is None else self._keys.caller(key)


def presented(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The key in `Authorization: Bearer …`, or in Anthropic's `x-api-key`."""
    if (authorization := headers.get(b"authorization")) is None:
        return headers.get(b"x-api-key")
    scheme, _, key = authorization.partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else None


def anybody(settings: Settings) -> Caller:
    """Who asks without keys: its owner on this machine alone, else somebody who may run nothing."""
    return ANYBODY if settings.is_local and not settings.allow_anonymous else STRANGER


def open_paths(settings: Settings) -> Set[str]:
    return OPEN | {"/metrics"} if settings.open_metrics else OPEN


async def _only_admins(request: Request) -> None:
    if not request.state.caller.admin:
        raise errors.Forbidden


ADMIN = Depends(_only_admins)
"""For routers and routes: `dependencies=[ADMIN]`."""
