"""`"vote": {…}` of a request: how many samples, what an answer is, and when it is decided."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, Discriminator, Field, Tag, field_validator

from decoding.answers import AnswerKind, Answers, Pattern
from decoding.mathematics import Maths
from decoding.policies import VoteConfig, VoteError
from decoding.types import Grammar
from decoding.vote import StopRule, Weight
from server.config import Settings
from server.errors import InvalidRequest
from server.schema.thinking import Strict
from server.verifier import HttpVerifier

LARGEST_WINDOW = 1 << 20
"""Tokens."""


class RegexAnswer(Strict):
    """The answer is the last match of `regex`, or of its first group."""

    regex: str

    @field_validator("regex")
    @classmethod
    def _compiles(cls, value: str) -> str:
        Pattern(value)
        return value


class VerifierWeight(Strict):
    """Best-of-n: samples weigh what the named verifier of the server's settings says."""

    verifier: str


def _form(value: Any) -> str:
    return "[object]" if isinstance(value, dict | BaseModel) else "[name]"


# Tags that are no identifiers, so that an error's field has no union branch in its name.
AnyAnswer = Annotated[
    Annotated[AnswerKind, Tag("[name]")] | Annotated[RegexAnswer, Tag("[object]")],
    Discriminator(_form),
]
AnyWeight = Annotated[
    Annotated[Literal["count", "confidence"], Tag("[name]")]
    | Annotated[VerifierWeight, Tag("[object]")],
    Discriminator(_form),
]


class VoteFields(Strict):
    """The defaults spend the fewest tokens that leave the outcome as it is."""

    n: int = Field(ge=1, le=128, strict=True)
    answer: AnyAnswer = "auto"
    weight: AnyWeight = "count"
    stop: StopRule | None = None
    confidence: float = Field(0.95, ge=0.5, lt=1)
    min_samples: int = Field(3, ge=1, strict=True)
    max_concurrency: int | None = Field(None, ge=1, strict=True)
    window: int = Field(128, ge=1, le=LARGEST_WINDOW, strict=True)
    keep: float | None = Field(None, gt=0, le=1)

    def config(self, choices: int, temperature: float) -> VoteConfig:
        """choices: different answers to give back. Raises InvalidRequest for a contradiction."""
        if temperature == 0 and self.n > 1:
            message = f"vote.n: {self.n} samples are all alike at temperature 0"
            raise InvalidRequest(message, "vote.n")
        weight: Weight = self.weight if isinstance(self.weight, str) else "verifier"
        self._refuse_idle(weight)
        # Only a winner is settled early; what comes second may still change.
        settled = weight == "count" and choices == 1
        harmless: StopRule = "unbeatable" if settled else "never"
        try:
            return VoteConfig(
                n=self.n,
                weight=weight,
                stop=self.stop or harmless,
                confidence=self.confidence,
                min_samples=self.min_samples,
                max_concurrency=self.max_concurrency,
                window=self.window,
                keep=self.keep,
                choices=choices,
            )
        except VoteError as error:
            raise InvalidRequest(f"vote.{error.field}: {error}", f"vote.{error.field}") from error

    def _refuse_idle(self, weight: Weight) -> None:
        """Nothing is accepted that would change nothing."""
        calm = self.stop != "confident"
        idle = {
            "confidence": "stop is not confident" if calm else None,
            "min_samples": "stop is not confident" if calm and self.keep is None else None,
            "window": "weight is not confidence" if weight != "confidence" else None,
        }
        for name, why in idle.items():
            if why and name in self.model_fields_set:
                raise InvalidRequest(f"vote.{name} changes nothing: {why}", f"vote.{name}")

    def verifier(
        self,
        settings: Settings,
        messages: Sequence[Mapping[str, Any]],
        client: httpx.AsyncClient,
    ) -> HttpVerifier | None:
        """Raises InvalidRequest for a name that the settings do not have, and for images, which
        no verifier is shown."""
        if isinstance(self.weight, str):
            return None
        name = self.weight.verifier
        if any(isinstance(message["content"], list) for message in messages):
            field = "vote.weight.verifier"
            raise InvalidRequest(f"{field}: is shown texts alone, and there are images", field)
        if name not in settings.verifiers:
            known = ", ".join(settings.verifiers) or "none"
            field = "vote.weight.verifier"
            raise InvalidRequest(f"{field}: there is no {name!r}, only {known}", field)
        return HttpVerifier(name, str(settings.verifiers[name]), messages, client)

    def reader(self, maths: Maths, grammar: Grammar | None = None) -> Answers:
        """A bound answer is the whole text, or JSON, unless the request says how it is read."""
        if self.answer == "auto" and grammar is not None:
            return Answers("json" if grammar.kind == "json" else "text", maths)
        kind = self.answer if isinstance(self.answer, str) else Pattern(self.answer.regex)
        return Answers(kind, maths)
