"""An engine that says what a function makes of its prompt, with probabilities for what is told."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log

from decoding.reflection import ReflectionNames
from decoding.types import Chunk, Sampling
from tests.decoding.test_critique import TEXTS
from tests.scripted import FakeCodec

N = ReflectionNames()
CODEC = FakeCodec(*TEXTS, "<|end|>")
(END,) = CODEC.encode("<|end|>")

Say = Callable[[str], tuple[str, Mapping[str, float] | None]]
"""From all that was read to what is said next, and probabilities there, by tokens' texts;
None for an engine that tells of none."""


@dataclass
class Scripted:
    """An engine that says what a function makes of its prompt, each token with probability 0.5."""

    say: Say
    prompts: list[str] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        prompt = CODEC.decode(token_ids)
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        text, chances = self.say(prompt)
        known = {CODEC.encode(name)[0]: log(chance) for name, chance in (chances or {}).items()}
        others = () if chances is None else sampling.told_ids
        said = CODEC.encode(text)[: sampling.max_tokens]
        for i, token in enumerate(said):
            told = (
                {each: known.get(each, log(1e-9)) for each in others}
                | {token: known.get(token, log(0.5))},
            )
            if token in sampling.stop_token_ids:
                yield Chunk((), "", "stop", token, told=told)
                return
            last = i == len(said) - 1
            yield Chunk((token,), CODEC.decode([token]), "length" if last else None, told=told)
