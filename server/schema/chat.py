"""`POST /v1/chat/completions`: what it takes, in OpenAI's shape."""

from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from decoding.types import Sampling
from server.errors import InvalidRequest
from server.schema.sampling import WHOLE_REPLY_CHUNK, SamplingFields, Stop, stop_texts
from server.schema.thinking import Strict, ThinkingAliases
from server.schema.vote import VoteFields


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


class ChatRequest(ThinkingAliases, SamplingFields):
    """Fields that would change the answer are honoured; those that cannot be are refused."""

    messages: list[Message] = Field(min_length=1)
    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(1, ge=1, le=128)
    vote: VoteFields | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stop: Stop = None
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

    @classmethod
    def like(cls, body: BaseModel, **own: Any) -> Self:
        """Another API's request: the fields it said under the same names, and `own` ones."""
        same = body.model_fields_set & cls.model_fields.keys()
        return cls.model_validate({**{name: getattr(body, name) for name in same}, **own})

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

    def sampling(self, room: int, vocabulary: int) -> Sampling:
        """room: tokens that are left of the model's context after the prompt."""
        limit = self.completion_limit
        if limit is not None and limit > room:
            raise InvalidRequest(
                f"max_tokens: {limit} is more than the {room} that the context has left",
                "max_tokens",
            )
        return replace(
            self.drawing(limit or room, vocabulary),
            stop=stop_texts(self.stop),
            chunk_tokens=1 if self.stream and self.vote is None else WHOLE_REPLY_CHUNK,
        )
