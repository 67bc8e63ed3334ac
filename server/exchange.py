"""One request and its response, as who watches them from outside sees them."""

import time
from collections.abc import Awaitable

from starlette.datastructures import Headers
from starlette.types import Message, Scope, Send

from server import request_id
from server.disconnect import CLIENT_CLOSED_REQUEST
from server.record import Record

METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


class Exchange:
    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.record = Record(request_id.chosen(self.headers))
        self.failed = False
        self._status: int | None = None
        self._complete = False
        self._send = send
        self._begun = time.perf_counter()
        scope.setdefault("state", {})["request_id"] = self.record.id

    # Not itself a coroutine: a stream sends thousands of messages, and most only pass through.
    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            name = (request_id.HEADER.encode(), self.record.id.encode())
            message["headers"] = [*message.get("headers", ()), name]
        elif not message.get("more_body", False):
            self._complete = True
        return self._send(message)

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method if method in METHODS else "other"

    @property
    def route(self) -> str:
        """Its pattern, not the path: one series for all models, and nothing that a client made."""
        route = self.scope.get("route")
        return getattr(route, "path", "unknown")

    @property
    def status(self) -> int:
        return 500 if self._status is None else self._status

    @property
    def abandoned(self) -> bool:
        """Whether the client left before its response was complete."""
        return self.status == CLIENT_CLOSED_REQUEST or not (self._complete or self.failed)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun
