"""What an answer may rest on: documents that come with the request, or an index of the server."""

from pydantic import Field, model_validator

from decoding.passages import Given, Passage, Retriever
from server.schema.thinking import Strict

MOST_DOCUMENTS = 1000


class DocumentFields(Strict):
    """id: by which citations name it; its number in the list where none is said."""

    id: str | None = Field(None, min_length=1, max_length=1000)
    title: str = Field("", max_length=1000)
    text: str = Field(min_length=1)


class SourceFields(Strict):
    """Of a field of a chat."""

    documents: list[DocumentFields] = Field([], max_length=MOST_DOCUMENTS)
    index: str | None = Field(None, min_length=1, max_length=100)

    @property
    def needs_sources(self) -> bool:
        return True

    @model_validator(mode="after")
    def _one_source(self) -> "SourceFields":
        if self.documents and self.index:
            raise ValueError("should have documents or an index, not both")
        if self.needs_sources and not (self.documents or self.index):
            raise ValueError("should have documents or an index")
        names = [each.id for each in self.passages]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"documents: two have the id {twice!r}")
        return self

    @property
    def passages(self) -> list[Passage]:
        return [
            Passage(each.id or str(number), each.text, each.title)
            for number, each in enumerate(self.documents, 1)
        ]

    def given(self) -> Retriever:
        """Of the documents that came along."""
        return Given(self.passages)
