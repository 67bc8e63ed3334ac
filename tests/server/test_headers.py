"""What is noted for a request is in its response, whatever makes it."""

import httpx
from fastapi import FastAPI, HTTPException, Request, Response

from server.headers import NotedHeaders, note


async def test_noted_headers_are_in_every_response() -> None:
    app = FastAPI()
    app.add_middleware(NotedHeaders)

    @app.get("/{status}")
    async def answer(status: int, request: Request) -> Response:
        note(request, {"x-noted": str(status)})
        if status >= 400:
            raise HTTPException(status)
        return Response(status_code=status)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        replies = [await http.get(f"/{status}") for status in (200, 404)]
        nothing = await http.get("/docs")
    assert [reply.headers["x-noted"] for reply in replies] == ["200", "404"]
    assert "x-noted" not in nothing.headers
