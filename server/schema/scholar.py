"""`"scholar": {…}` of a chat: an answer that is researched, written with citations and verified."""

from dataclasses import asdict
from typing import Any

from pydantic import Field

from decoding.scholar import ScholarConfig
from decoding.types import Grounding, Step, Study
from server.schema.sources import SourceFields


class ScholarFields(SourceFields):
    candidates: int = Field(20, ge=1, le=50)
    top_k: int = Field(8, ge=1, le=50)
    rounds: int = Field(1, ge=0, le=3)
    points: int = Field(3, ge=1, le=5)
    threshold: float = Field(0.5, ge=0, le=1)
    checks: int = Field(200, ge=1, le=1000)

    def config(self) -> ScholarConfig:
        return ScholarConfig(
            candidates=self.candidates,
            top_k=self.top_k,
            rounds=self.rounds,
            points=self.points,
            threshold=self.threshold,
            checks=self.checks,
        )


def study_object(study: Study) -> dict[str, Any]:
    return {
        "citations": [asdict(each) for each in study.citations],
        "sources": [asdict(each) for each in study.sources],
        "feedback": [asdict(each) for each in study.feedback],
        "written": grounding_object(study.written),
        "final": grounding_object(study.final),
        "steps": [step_object(each) for each in study.steps],
    }


def grounding_object(grounding: Grounding) -> dict[str, Any]:
    return {**asdict(grounding), "precision": grounding.precision, "recall": grounding.recall}


def step_object(step: Step) -> dict[str, Any]:
    told = asdict(step)
    del told["choice"]
    return told
