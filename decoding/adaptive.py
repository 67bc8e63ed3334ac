"""Thinking that ends when its answer no longer changes (Dynasor's probes, arXiv 2412.20993).

THINK -> (PROBE -> THINK)* -> CLOSE -> ANSWER. Every `probe_every` thinking tokens a fork is closed
as the thought would be if it were cut there, and says its answer, greedily. Once enough probes in
a row agree (`decoding/certainty.py`), the thought is cut.

A probe that cannot end the thought runs beside the next tokens of it, at hardly any time. One that
can is waited for: to think on meanwhile would spend tokens that its end throws away, and where the
thought ends would hang on how fast the engine is. So the trunk stops at each fork, which costs one
engine call on a cached prefix, and the same draws always give the same thought. A probe that
cannot matter, before `min_tokens` or so near the cap that no streak could be long enough, is not
made.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from decoding.answers import extract
from decoding.certainty import Streak, needed
from decoding.engine import Codec, Engine
from decoding.limits import BudgetConfig, BudgetError
from decoding.markers import Markers
from decoding.thinking import Thinker, Thought
from decoding.transcript import Transcript
from decoding.types import Delta, Event, Finish, Probe, Sampling

PROBE_TOKENS = 32
"""The most that a probe may say; an answer that is not over by then counts as none."""

HEDGES = re.compile(r"\b(?:wait|hold on|h+m+|but|actually|maybe|perhaps|not sure)\b", re.IGNORECASE)
"""Words of doubt: Dynasor's, less `no` and `okay`, which may be answers, and a few more."""


@dataclass(frozen=True, slots=True)
class AdaptiveConfig:
    """confidence: in (0, 1); probe_every: thinking tokens from a probe to the next.

    budget: what bounds the thought on either side, and the texts around it. Its waits are made
    only as long as the answer is not certain.
    """

    budget: BudgetConfig = field(default_factory=BudgetConfig)
    confidence: float = 0.9
    probe_every: int = 64


@dataclass(frozen=True, slots=True)
class Adaptive:
    """The policy. `answer_reserve`: completion tokens kept from thinking that has no budget.

    Raises BudgetError on construction if `config` contradicts itself, and `check` does so where
    `max_tokens` has no place for the budget and an answer.
    """

    config: AdaptiveConfig
    markers: Markers
    codec: Codec
    answer_reserve: int = 0
    _thinker: Thinker = field(init=False)
    _needed: int = field(init=False)

    def __post_init__(self) -> None:
        config = self.config
        _check(config)
        thinker = Thinker(config.budget, self.markers, self.codec, self.answer_reserve)
        object.__setattr__(self, "_thinker", thinker)
        object.__setattr__(self, "_needed", needed(config.confidence))

    @property
    def overhead(self) -> int:
        """Completion tokens beside the thinking: what closes it, and one token of answer."""
        return self._thinker.overhead

    def check(self, max_tokens: int) -> None:
        self._thinker.check(max_tokens)

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        transcript = Transcript(engine, prompt, sampling)
        thought = self._thinker.begin(sampling.max_tokens)
        probes = Probes(transcript, thought, self._thinker, sampling.stop)
        try:
            for phase in (
                self._think(transcript, thought, probes),
                self._thinker.answer(transcript, thought, sampling.stop),
            ):
                async with aclosing(phase) as deltas:
                    async for delta in deltas:
                        yield delta
            await probes.settle()
        finally:
            await probes.abort()
        yield self._thinker.final(transcript, thought)

    async def _think(
        self, transcript: Transcript, thought: Thought, probes: "Probes"
    ) -> AsyncGenerator[Delta, None]:
        every = self.config.probe_every
        while thought.end is None:
            until = (len(transcript.completion) // every + 1) * every
            async with aclosing(self._thinker.think(transcript, thought, until)) as deltas:
                async for delta in deltas:
                    yield delta
            if await self._certain(transcript, thought, probes):
                last_words = self._thinker.cut(transcript, thought, "certain")
                if last_words is not None:
                    yield last_words

    async def _certain(self, transcript: Transcript, thought: Thought, probes: "Probes") -> bool:
        """Whether the thought may end here; a probe that leaves that open is not waited for."""
        if thought.end is not None:
            return False
        await probes.settle()
        if not self._matters(transcript, thought, probes.streak.length):
            return False
        probes.start()
        enough = len(transcript.completion) >= self.config.budget.min_tokens
        if not enough or probes.streak.length + 1 < self._needed:
            return False
        await probes.settle()
        return probes.streak.length >= self._needed

    def _matters(self, transcript: Transcript, thought: Thought, streak: int) -> bool:
        """Whether a probe here could be one of a streak that ends the thought."""
        every, here = self.config.probe_every, len(transcript.completion)
        left = self._thinker.pauses_left(transcript, thought, every)
        longest = here + (self._needed - 1) * every
        return streak + 1 + left >= self._needed and longest >= self.config.budget.min_tokens


class Probes:
    """The probes of one thought, one at a time; their answers go to the thought and the streak."""

    def __init__(
        self, transcript: Transcript, thought: Thought, thinker: Thinker, stop: tuple[str, ...]
    ) -> None:
        self._transcript, self._thought, self._thinker = transcript, thought, thinker
        self._stop = ("\n", *stop)
        self._running: asyncio.Task[Probe] | None = None
        self.streak = Streak()

    def start(self) -> None:
        """Fork the thought as it is now. The probe before must have settled."""
        assert self._running is None
        after = self._thinker.if_cut(self._transcript, self._thought)
        position, room = len(self._transcript.completion), self._transcript.room - len(after)
        fork = self._transcript.fork(after, chunk_tokens=PROBE_TOKENS)
        self._running = asyncio.create_task(self._ask(fork, position, min(PROBE_TOKENS, room)))

    async def settle(self) -> None:
        """Wait for the probe that is running, if any, and take its answer."""
        if self._running is not None:
            probe = await self._running
            self._running = None
            self._transcript.generated += probe.tokens
            self._thought.probes.append(probe)
            self.streak.add(probe.answer)

    async def abort(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _ask(self, fork: Transcript, position: int, max_tokens: int) -> Probe:
        text, finish = "", None
        turn_ends = tuple(sorted(self._thinker.markers.turn_ends))
        calls = fork.call(max_tokens, stop_token_ids=turn_ends, stop=self._stop)
        async with aclosing(calls) as chunks:
            async for chunk in chunks:
                text += chunk.text
                finish = chunk.finish
        return Probe(position, self._answer(text, finish), fork.generated)

    def _answer(self, text: str, finish: Finish | None) -> str | None:
        """The answer of a probe, if it came to its end and has no doubts."""
        if finish != "stop" or HEDGES.search(text):
            return None
        return extract(self._thinker.prefix + text)


def _check(config: AdaptiveConfig) -> None:
    if not 0 < config.confidence < 1:
        raise BudgetError("confidence", f"{config.confidence} is not between 0 and 1")
    if config.probe_every < 1:
        raise BudgetError("probe_every", f"{config.probe_every} is less than 1")
