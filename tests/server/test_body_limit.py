"""Bodies that are too large, said or unsaid."""

from collections.abc import AsyncIterator

import pytest

from tests.server.serving import saying, served

PATH = "/v1/chat/completions"
JSON = {"content-type": "application/json"}


async def test_a_body_that_says_it_is_too_large_is_refused() -> None:
    async with served(saying(), max_body_bytes=1000) as server:
        response = await server.http.post(PATH, content=b"x" * 1001, headers=JSON)
    assert response.status_code == 413
    error = response.json()["error"]
    assert error["message"] == "the body is larger than 1000 bytes"
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(("chunks", "status", "read"), [(4, 400, 4), (100, 413, 5)])
async def test_a_body_of_unsaid_length_is_read_no_further_than_the_limit(
    chunks: int, status: int, read: int
) -> None:
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(chunks):
            taken += 1
            yield b"x" * 250

    async with served(saying(), max_body_bytes=1000) as server:
        response = await server.http.post(PATH, content=body(), headers=JSON)
    assert response.status_code == status
    assert taken == read


async def test_below_messages_the_error_is_anthropics() -> None:
    async with served(saying(), max_body_bytes=10) as server:
        response = await server.http.post("/v1/messages", content=b"x" * 11, headers=JSON)
    body = response.json()
    assert body.pop("request_id")
    assert body == {
        "type": "error",
        "error": {"type": "request_too_large", "message": "the body is larger than 10 bytes"},
    }
