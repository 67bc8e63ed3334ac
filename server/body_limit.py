"""How large a request's body may be."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import errors


class BodyLimit:
    """Answers 413 to a body that says it is larger, and to one that turns out to be."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit
        self._message = f"the body is larger than {limit} bytes"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _declared(scope) > self._limit:
            told = errors.refusal(413, self._message)
            await errors.response(scope, told)(scope, receive, send)
        else:
            await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        """Raises HTTPException: the one kind that FastAPI lets out of the reading of a body."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(413, self._message)
            return message

        return counted


def _declared(scope: Scope) -> int:
    """0 where the length is not said; the server has refused one that is no number."""
    return int(dict(scope["headers"]).get(b"content-length", b"0"))
