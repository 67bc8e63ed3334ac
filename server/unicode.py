"""Bodies whose texts are Unicode: JSON can escape half of a surrogate pair, which no text has."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class UnicodeRequest(Request):
    async def json(self) -> Any:
        """Raises HTTPException for a text that could not be encoded."""
        value = await super().json()
        if SURROGATE.search(await self.body()):
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                message = "the body has half of a surrogate pair, which is no character"
                raise HTTPException(400, message) from error
        return value


class UnicodeRoute(APIRoute):
    """A route whose body is such a request's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(UnicodeRequest(request.scope, request.receive))

        return handle
