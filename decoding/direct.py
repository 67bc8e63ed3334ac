"""One plain sample: for models that do not think, and for thinking that is off."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from decoding.answer import Answer
from decoding.engine import Engine
from decoding.transcript import Transcript
from decoding.types import Event, Sampling


@dataclass(frozen=True, slots=True)
class Direct:
    """turn_ends: tokens that end the turn; disabled: the prompt closed the thinking already."""

    turn_ends: frozenset[int]
    disabled: bool = False

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        transcript = Transcript(engine, prompt, sampling)
        answer = Answer(transcript, self.turn_ends, sampling.stop)
        async with aclosing(answer.run(trim=self.disabled)) as deltas:
            async for delta in deltas:
                yield delta
        thinking = transcript.thinking(0, "disabled", 0) if self.disabled else None
        yield transcript.final(answer.finish, thinking, answer.stop_text)
