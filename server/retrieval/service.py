"""An existing search service in the place of an index, over HTTP."""

from collections.abc import Sequence

import httpx
from pydantic import BaseModel, ValidationError

from decoding.passages import Passage
from server.errors import SearchUnavailable

SECONDS = 10.0
"""That one search may take."""


class FoundPassage(BaseModel):
    document_id: str
    text: str
    title: str = ""


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
        body = {"query": query, "top_k": count}
        try:
            response = await self._client.post(self._url, json=body, timeout=SECONDS)
            found = Answer.model_validate_json(response.raise_for_status().content)
        except httpx.HTTPStatusError as error:
            raise self._unavailable(f"it answers {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise self._unavailable(type(error).__name__) from error
        except ValidationError as error:
            raise self._unavailable("its answer has no passages") from error
        return [Passage(each.document_id, each.text, each.title) for each in found.passages[:count]]

    def _unavailable(self, why: str) -> SearchUnavailable:
        return SearchUnavailable(f"search service {self._name}: {why}")
