"""`POST /v1/completions`: what it takes, in OpenAI's shape."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from decoding.policies import ThinkingConfig
from decoding.types import Sampling
from server.config import Settings
from server.errors import InvalidRequest
from server.schema.chat import StreamOptions
from server.schema.naming import ANY_MESSAGE
from server.schema.sampling import WHOLE_REPLY_CHUNK, SamplingFields, Stop, stop_texts
from server.schema.thinking import ThinkingAliases
from server.schema.unions import TextOr

TokenIds = Annotated[list[int], Field(min_length=1)]
Prompts = Annotated[list[str] | TokenIds | list[TokenIds], Field(min_length=1, max_length=2048)]

NAMES = {ANY_MESSAGE: "prompt"}
"""From chat's fields to those that mean the same here."""


class CompletionsRequest(ThinkingAliases, SamplingFields):
    """A raw prompt: no template, and no thinking but one that the prompt has opened."""

    prompt: TextOr[Prompts] = Field(examples=["<|user|>\nHow many r in raspberry?"])
    model: str | None = None
    max_tokens: int = Field(16, ge=0)
    n: int = Field(1, ge=1, le=128)
    best_of: int | None = None
    echo: bool = False
    logprobs: int | None = Field(None, ge=0, le=5)
    stop: Stop = None
    suffix: None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    add_special_tokens: bool = True

    # It changes nothing in the answer.
    user: str | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        """Each as text, or in token ids."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        ids = [each for each in self.prompt if isinstance(each, int)]
        return [ids] if ids else [each for each in self.prompt if not isinstance(each, int)]

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def scores(self) -> bool:
        """Whether the prompt's own tokens are to be told with their log-probabilities."""
        return self.echo and self.logprobs is not None

    def thinking_config(self, settings: Settings) -> ThinkingConfig | None:
        """None where nothing is to be done about thinking."""
        if not self.speak or not self.thinks:
            return None
        if self.echo:
            raise InvalidRequest("echo: cannot be combined with thinking", "echo")
        return self.config(settings, self.max_tokens, self.max_tokens)

    def refuse_impossible(self, most: int) -> None:
        """Raises InvalidRequest. most: choices a prompt that the server gives."""
        if self.n > most:
            raise InvalidRequest(f"n: {self.n} is more than this server's {most}", "n")
        if self.best_of not in (None, self.n):
            message = f"best_of: {self.best_of} should be n, {self.n}; `vote` of a chat chooses"
            raise InvalidRequest(message, "best_of")
        if self.max_tokens == 0 and not self.echo:
            raise InvalidRequest("max_tokens: 0 asks for nothing without echo", "max_tokens")
        if self.scores and self.max_tokens > 1:
            raise InvalidRequest(
                f"max_tokens: {self.max_tokens} should be 0 or 1 where echo and logprobs ask for a "
                "score of the prompt",
                "max_tokens",
            )
        if self.template_arguments.keys() - {"reasoning_effort"}:
            field = "chat_template_kwargs"
            raise InvalidRequest(f"{field}: a raw prompt has no template", field)

    def sampling(self, room: int, vocabulary: int) -> Sampling:
        """room: tokens that are left of the model's context after the longest prompt."""
        if self.max_tokens > room:
            raise InvalidRequest(
                f"max_tokens: {self.max_tokens} is more than the {room} that the context has left",
                "max_tokens",
            )
        return replace(
            self.drawing(self.max_tokens, vocabulary),
            stop=stop_texts(self.stop),
            chunk_tokens=1 if self.stream else WHOLE_REPLY_CHUNK,
            logprobs=self.logprobs,
            prompt_logprobs=self.logprobs if self.echo else None,
        )
