"""How tokens are drawn: the fields that all APIs have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from decoding.types import Sampling
from server.errors import InvalidRequest

WHOLE_REPLY_CHUNK = 64
"""Tokens a chunk where nobody watches them come: far less work outside the engine."""


class SamplingFields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=-1)
    min_p: float = Field(0.0, ge=0, le=1)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    repetition_penalty: float = Field(1.0, gt=0, le=2)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    logit_bias: dict[Annotated[int, Field(strict=False)], float] | None = None

    def drawing(self, max_tokens: int, vocabulary: int) -> Sampling:
        """What these fields say of `max_tokens` tokens.

        Raises InvalidRequest for a bias on a token that is not in the vocabulary.
        """
        for token in self.logit_bias or {}:
            if not 0 <= token < vocabulary:
                raise InvalidRequest(
                    f"logit_bias: there is no token {token}, only 0 to {vocabulary - 1}",
                    "logit_bias",
                )
        return Sampling(
            max_tokens=max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=max(0, self.top_k),
            min_p=self.min_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            repetition_penalty=self.repetition_penalty,
            seed=self.seed,
            logit_bias=self.logit_bias or {},
        )


def stop_texts(value: str | list[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _few(value: str | list[str] | None) -> str | list[str] | None:
    stops = stop_texts(value)
    if len(stops) > 16 or not all(stops):
        raise ValueError("should be a text or up to 16 texts, none of them empty")
    return value


Stop = Annotated[str | list[str] | None, AfterValidator(_few)]
