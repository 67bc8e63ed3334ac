"""What the model makes of the prompt itself: for those who compare texts by their likelihood."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from decoding.engine import Engine
from decoding.transcript import Transcript
from decoding.types import Delta, Event, Sampling, Score


@dataclass(frozen=True, slots=True)
class Scoring:
    """A score of the prompt, and of `sampling.max_tokens`, 0 or 1, the token after it.

    That token is one of the text even if it ends the model's turn: who asks for the likelihood of a
    text and one token more counts on it.
    """

    turn_ends: frozenset[int]

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        transcript = Transcript(engine, prompt, replace(sampling, max_tokens=1, chunk_tokens=1))
        calls = transcript.call(1, stop=sampling.stop, ignore_eos=True, answers=True)
        async with aclosing(calls) as chunks:
            async for chunk in chunks:
                yield Score(chunk.prompt_logprobs)
                if sampling.max_tokens:
                    transcript.keep(chunk.token_ids)
                    yield Delta("content", chunk.text, chunk.token_ids, logprobs=chunk.logprobs)
        ended = not self.turn_ends.isdisjoint(transcript.completion)
        yield transcript.final("stop" if ended else "length", None)
