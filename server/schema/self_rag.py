"""`"self_rag": {…}` of a chat: what the answer may rest on, and how the best of it is found."""

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field, model_validator

from decoding.critique import Weights
from decoding.passages import Given, Passage, Retriever
from decoding.self_rag import Mode, SelfRagConfig
from decoding.types import Evidence
from server.schema.thinking import Strict

MOST_DOCUMENTS = 1000


class DocumentFields(Strict):
    """id: by which citations name it; its number in the list where none is said."""

    id: str | None = Field(None, min_length=1, max_length=1000)
    title: str = ""
    text: str = Field(min_length=1)


class WeightFields(Strict):
    """Beside a segment's own probability, which counts 1."""

    relevance: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)
    support: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)
    utility: float = Field(0.5, ge=0, le=100, allow_inf_nan=False)


class SelfRagFields(Strict):
    """tree: whether all that was tried is told, and not only what is in the answer."""

    documents: list[DocumentFields] = Field([], max_length=MOST_DOCUMENTS)
    index: str | None = Field(None, max_length=100)
    mode: Mode = "adaptive"
    threshold: float = Field(0.2, ge=0, le=1)
    top_k: int = Field(5, ge=1, le=20)
    beam: int = Field(2, ge=1, le=8)
    max_segments: int = Field(7, ge=1, le=32)
    weights: WeightFields = WeightFields()
    require_support: bool = False
    scoring: Literal["paper"] = "paper"
    tree: bool = False

    @model_validator(mode="after")
    def _something_to_rest_on(self) -> "SelfRagFields":
        if self.mode != "never" and not (self.documents or self.index):
            raise ValueError('should have documents or an index, unless mode is "never"')
        if self.documents and self.index:
            raise ValueError("should have documents or an index, not both")
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

    def retriever(self) -> Retriever:
        """Of the documents that came along."""
        return Given(self.passages)

    def config(self) -> SelfRagConfig:
        return SelfRagConfig(
            mode=self.mode,
            threshold=self.threshold,
            top_k=self.top_k,
            beam=self.beam,
            max_segments=self.max_segments,
            weights=Weights(**self.weights.model_dump()),
            require_support=self.require_support,
        )


def evidence_object(evidence: Evidence, *, tree: bool) -> dict[str, Any]:
    told = {
        "citations": [asdict(each) for each in evidence.citations],
        "utility": evidence.utility,
        "retrievals": evidence.retrievals,
        "passages": evidence.passages,
    }
    return told | {"tree": [asdict(each) for each in evidence.trials]} if tree else told
