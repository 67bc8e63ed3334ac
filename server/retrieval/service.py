"""An existing search service in the place of an index, over HTTP."""

import asyncio
from collections.abc import Sequence

import httpx
from pydantic import BaseModel, ValidationError

from decoding.passages import Passage
from server.errors import SearchUnavailable

SECONDS = 10.0
"""That one search may take in all."""

MOST_BYTES = 8 * 2**20
"""Of an answer."""

MOST_LETTERS = 10_000
"""Of a query; what is longer is cut, as a service like this one would refuse it."""


class FoundPassage(BaseModel):
    document_id: str
    text: str
    title: str | None = None


class Answer(BaseModel):
    passages: list[FoundPassage]


class SearchService:
    """A `decoding.passages.Retriever`.

    It is sent `{"query": "…", "top_k": 5}` and answers `{"passages": [{"document_id", "title",
    "text"}]}`, the best first, as `/v1/indexes/NAME/search` of a server like this one does.
    """

    def __init__(self, name: str, url: str, client: httpx.AsyncClient) -> None:
        self._name, self._url, self._client = name, url, client

    async def search(self, query: str, count: int) -> Sequence[Passage]:
        """Raises SearchUnavailable where there is no such answer."""
        if not query.strip():
            return []
        try:
            async with asyncio.timeout(SECONDS):
                found = Answer.model_validate_json(await self._answer(query, count))
        except TimeoutError as error:
            raise self._unavailable(f"no answer in {SECONDS:.0f} s") from error
        except httpx.HTTPStatusError as error:
            raise self._unavailable(f"it answers {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise self._unavailable(type(error).__name__) from error
        except ValidationError as error:
            raise self._unavailable("its answer has no passages") from error
        passages = [
            Passage(each.document_id, each.text, each.title or "") for each in found.passages
        ]
        return list(dict.fromkeys(passages))[:count]

    async def _answer(self, query: str, count: int) -> bytes:
        body = {"query": query[:MOST_LETTERS], "top_k": count}
        read = bytearray()
        async with self._client.stream("POST", self._url, json=body, timeout=SECONDS) as response:
            response.raise_for_status()
            async for piece in response.aiter_bytes():
                read += piece
                if len(read) > MOST_BYTES:
                    raise self._unavailable(f"its answer is over {MOST_BYTES:,} bytes")
        return bytes(read)

    def _unavailable(self, why: str) -> SearchUnavailable:
        return SearchUnavailable(f"search service {self._name}: {why}")
