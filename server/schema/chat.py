"""`POST /v1/chat/completions`: what it takes, in OpenAI's shape."""

from dataclasses import replace
from typing import Any, Self

from pydantic import BaseModel, Field

from decoding.types import Grammar, Sampling
from server.errors import InvalidRequest
from server.schema.messages import Message
from server.schema.response_format import Binding, ResponseFormat, StructuredOutputs
from server.schema.sampling import WHOLE_REPLY_CHUNK, SamplingFields, Stop, stop_texts
from server.schema.scholar import ScholarFields
from server.schema.self_rag import SelfRagFields
from server.schema.thinking import Strict, ThinkingAliases
from server.schema.tools import Forced, ToolFields
from server.schema.vote import VoteFields


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool = False


class ChatRequest(ThinkingAliases, SamplingFields, ToolFields):
    """Fields that would change the answer are honoured; those that cannot be are refused."""

    messages: list[Message] = Field(
        min_length=1, examples=[[{"role": "user", "content": "How many r in raspberry?"}]]
    )
    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(1, ge=1, le=128)
    vote: VoteFields | None = None
    self_rag: SelfRagFields | None = None
    scholar: ScholarFields | None = None
    max_tokens: int | None = Field(None, ge=1, examples=[400])
    max_completion_tokens: int | None = Field(None, ge=1, examples=[400])
    stop: Stop = None
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20, strict=True)

    return_token_ids: bool = False

    # These change nothing in the answer.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @classmethod
    def like(cls, body: BaseModel, **own: Any) -> Self:
        """Another API's request: the fields it said under the same names, and `own` ones."""
        same = body.model_fields_set & cls.model_fields.keys()
        return cls.model_validate({**{name: getattr(body, name) for name in same}, **own})

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    def refuse_streamed_ids(self) -> None:
        """Raises InvalidRequest: they are of a whole answer."""
        if self.return_token_ids and self.stream:
            field = "return_token_ids"
            raise InvalidRequest(f"{field}: is for answers that are not streamed", field)

    @property
    def in_pieces(self) -> bool:
        """Whether somebody watches the answer come."""
        return self.stream and self.vote is None

    @property
    def thinks(self) -> bool:
        """Raises InvalidRequest where fields disagree on it."""
        if self.self_rag is None and self.scholar is None:
            return super().thinks
        self._refuse_beside("scholar" if self.self_rag is None else "self_rag")
        return False

    def _refuse_beside(self, grounded: str) -> None:
        """What has no meaning for an answer that rests on passages."""
        others = {
            "thinking": self.speak and super().thinks,
            "vote": self.vote,
            "tools": self.offered,
            "response_format": self.response_format and self.response_format.binding(),
            "structured_outputs": self.structured_outputs,
            "logprobs": self.logprobs,
            "stop": self.stop,
            "scholar": grounded == "self_rag" and self.scholar,
        }
        for field, given in others.items():
            if given:
                raise InvalidRequest(f"{field}: cannot be together with {grounded}", field)

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

    def binding(self, forced: Forced | None) -> Binding | None:
        """What the answer must be written in. Raises InvalidRequest where that is two things.

        forced: the calls that the request demands.
        """
        made = {
            "response_format": self.response_format and self.response_format.binding(),
            "structured_outputs": self.structured_outputs and self.structured_outputs.binding(),
            "tool_choice": forced and forced.binding,
        }
        found = {field: binding for field, binding in made.items() if binding}
        if len(found) > 1:
            one, other = list(found)[:2]
            raise InvalidRequest(f"{other}: {one} binds the answer already", other)
        if found and self.may_call:
            (field,) = found
            message = f"{field}: no tool could be called; use tool_choice none, or required"
            raise InvalidRequest(message, field)
        return next(iter(found.values()), None)

    @property
    def told_logprobs(self) -> int | None:
        """Raises InvalidRequest for alternatives to what is not told."""
        if not self.logprobs:
            if self.top_logprobs:
                raise InvalidRequest("top_logprobs: needs logprobs", "top_logprobs")
            return None
        return self.top_logprobs or 0

    def refuse_more(self, most: int) -> None:
        """Raises InvalidRequest for more choices, or more samples of a vote, than the server's."""
        for field, n in (("n", self.n), ("vote.n", self.vote.n if self.vote else 1)):
            if n > most:
                raise InvalidRequest(f"{field}: {n} is more than this server's {most}", field)

    def sampling(self, room: int, vocabulary: int, grammar: Grammar | None = None) -> Sampling:
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
            grammar=grammar,
            logprobs=self.told_logprobs,
            chunk_tokens=1 if self.in_pieces else WHOLE_REPLY_CHUNK,
        )
