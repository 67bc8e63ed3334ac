"""`"self_rag": {…}` of a chat: what the answer may rest on, and how the best of it is found."""

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from decoding.critique import Weights
from decoding.self_rag import Mode, SelfRagConfig
from decoding.types import Evidence
from server.schema.sources import SourceFields
from server.schema.thinking import Strict


class WeightFields(Strict):
    """Beside a segment's own probability, which counts 1."""

    relevance: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)
    support: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)
    utility: float = Field(0.5, ge=0, le=100, allow_inf_nan=False)


class SelfRagFields(SourceFields):
    """tree: whether all that was tried is told, and not only what is in the answer."""

    mode: Mode = "adaptive"
    threshold: float = Field(0.2, ge=0, le=1)
    top_k: int = Field(5, ge=1, le=20)
    beam: int = Field(2, ge=1, le=8)
    max_segments: int = Field(7, ge=1, le=32)
    weights: WeightFields = WeightFields()
    require_support: bool = False
    scoring: Literal["paper"] = "paper"
    tree: bool = False

    @property
    def needs_sources(self) -> bool:
        return self.mode != "never"

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
