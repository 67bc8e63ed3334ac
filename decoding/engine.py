"""What a program may ask of an engine, of a tokenizer, and what a program is."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from decoding.types import Chunk, Event, Sampling


class Engine(Protocol):
    def generate(self, token_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Chunk, None]:
        """Continue `token_ids`. Closing the generator aborts the work at once."""
        ...


class Codec(Protocol):
    """The model's tokenizer, without special tokens added or skipped."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, token_ids: Sequence[int]) -> str: ...


class Policy(Protocol):
    def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        """Answer `prompt`, whose thinking is open if the model thinks; the last event is Final.

        `sampling.max_tokens` bounds the whole completion.
        """
        ...
