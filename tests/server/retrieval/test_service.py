"""A search service behind HTTP, and all that may be wrong with what it answers."""

from typing import Any

import httpx
import pytest

from decoding.passages import Passage, RetrievalError
from server.retrieval.service import MOST_BYTES, SearchService

FOUND = {
    "passages": [
        *[{"document_id": "a", "text": "Text.", "title": "T", "score": 1}] * 2,
        *({"document_id": each, "text": "More.", "title": None} for each in "bcd"),
    ]
}


def service(answer: httpx.Response | Exception, seen: list[Any] | None = None) -> SearchService:
    def answered(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = httpx.AsyncClient(transport=httpx.MockTransport(answered))
    return SearchService("web", "http://search.example/find", client)


async def test_it_is_asked_and_answers() -> None:
    seen: list[httpx.Request] = []
    found = await service(httpx.Response(200, json=FOUND), seen).search("bridges", 2)
    assert found == [Passage("a", "Text.", "T"), Passage("b", "More.")]
    assert await service(httpx.Response(500)).search(" ", 2) == []
    assert seen[0].read() == b'{"query":"bridges","top_k":2}'


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(500), "it answers 500"),
        (httpx.Response(200, text="<html>"), "its answer has no passages"),
        (httpx.Response(200, json={"passages": [{"text": "x"}]}), "its answer has no passages"),
        (httpx.ConnectTimeout("slow"), "ConnectTimeout"),
        (httpx.Response(200, text=" " * (MOST_BYTES + 1)), "its answer is over 8,388,608 bytes"),
        (TimeoutError(), "no answer in 10 s"),
    ],
)
async def test_no_answer_says_why(answer: httpx.Response | Exception, why: str) -> None:
    with pytest.raises(RetrievalError, match=f"search service web: {why}"):
        await service(answer).search("bridges", 2)
