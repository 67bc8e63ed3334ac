"""`POST /v1/chat/completions`: what it takes, in OpenAI's shape."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from decoding.types import Sampling
from server.errors import InvalidRequest
from server.schema.thinking import Strict, ThinkingAliases
from server.schema.vote import VoteFields

WHOLE_REPLY_CHUNK = 64
"""Tokens a chunk where nobody watches them come: far less work outside the engine."""


class TextPart(Strict):
    type: Literal["text"]
    text: str


class Message(BaseModel):
    """A turn; `name` and `reasoning` of earlier turns, under both its names, are the template's.

    What the official client adds when it echoes a reply is accepted while it says nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: None = None
    audio: None = None
    annotations: list[Any] | None = Field(None, max_length=0)
    function_call: None = None
    tool_calls: list[Any] | None = Field(None, max_length=0)

    def for_template(self) -> dict[str, Any]:
        content = self.content or ""
        if not isinstance(content, str):
            content = "".join(part.text for part in content)
        role = "system" if self.role == "developer" else self.role
        message = {"role": role, "content": content}
        reasoning = self.reasoning_content or self.reasoning
        if reasoning:
            message["reasoning_content"] = reasoning
        if self.name:
            message["name"] = self.name
        return message


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool = False


class TextFormat(Strict):
    type: Literal["text"]


class ChatRequest(ThinkingAliases):
    """Fields that would change the answer are honoured; those that cannot be are refused."""

    messages: list[Message] = Field(min_length=1)
    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(1, ge=1, le=128)
    vote: VoteFields | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=-1)
    min_p: float = Field(0.0, ge=0, le=1)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    repetition_penalty: float = Field(1.0, gt=0, le=2)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    logit_bias: dict[int, float] | None = None
    response_format: TextFormat | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None

    # These change nothing in the answer.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    parallel_tool_calls: bool | None = None
    tools: list[Any] | None = Field(None, max_length=0)
    tool_choice: Literal["none", "auto"] | None = None

    @field_validator("stop")
    @classmethod
    def _stops(cls, value: str | list[str] | None) -> str | list[str] | None:
        stops = [value] if isinstance(value, str) else value or []
        if len(stops) > 16 or not all(stops):
            raise ValueError("should be a text or up to 16 texts, none of them empty")
        return value

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def completion_limit(self) -> int | None:
        """Raises InvalidRequest where the old and the new name disagree."""
        old, new = self.max_tokens, self.max_completion_tokens
        if old is not None and new is not None and old != new:
            raise InvalidRequest(
                f"max_tokens and max_completion_tokens contradict each other: {old} and {new}",
                "max_completion_tokens",
            )
        return new if new is not None else old

    def refuse_more(self, most: int) -> None:
        """Raises InvalidRequest for more choices, or more samples of a vote, than the server's."""
        for field, n in (("n", self.n), ("vote.n", self.vote.n if self.vote else 1)):
            if n > most:
                raise InvalidRequest(f"{field}: {n} is more than this server's {most}", field)

    def sampling(self, room: int, vocabulary: int) -> Sampling:
        """room: tokens that are left of the model's context after the prompt."""
        limit = self.completion_limit
        if limit is not None and limit > room:
            raise InvalidRequest(
                f"max_tokens: {limit} is more than the {room} that the context has left",
                "max_tokens",
            )
        for token in self.logit_bias or {}:
            if not 0 <= token < vocabulary:
                raise InvalidRequest(
                    f"logit_bias: there is no token {token}, only 0 to {vocabulary - 1}",
                    "logit_bias",
                )
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Sampling(
            max_tokens=limit or room,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=max(0, self.top_k),
            min_p=self.min_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            repetition_penalty=self.repetition_penalty,
            seed=self.seed,
            logit_bias=self.logit_bias or {},
            stop=stop,
            chunk_tokens=1 if self.stream and self.vote is None else WHOLE_REPLY_CHUNK,
        )
