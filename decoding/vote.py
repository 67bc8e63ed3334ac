"""Majority voting over samples of any other policy, ended as soon as it is decided.

Self-consistency (arXiv 2203.11171) with answers grouped by equivalence. By default only so many
samples run at once as could decide the vote if all agreed, which spends the fewest tokens; more at
once are sooner done. Those in flight when the vote is decided are aborted.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from decoding.confidence import Gauge, Hopeless, floor_of
from decoding.engine import Engine, Policy
from decoding.limits import ConfigError
from decoding.metering import Meter
from decoding.seeds import derived
from decoding.stopping import Confident, Never, Rule, Unbeatable
from decoding.tally import Reader, Sample, Tally, Verifier, total_usage
from decoding.tool_calls import as_answer
from decoding.types import Ballot, Delta, Election, Event, Final, Sampling, Stop, Usage

Weight = Literal["count", "confidence", "verifier"]
StopRule = Literal["never", "unbeatable", "confident"]


class VoteError(ConfigError):
    """Of a vote."""


@dataclass(frozen=True, slots=True)
class VoteConfig:
    """What a request may say of its vote.

    n: samples at most; choices: the heaviest different answers that are given back.
    confidence, min_samples: of `confident`; min_samples is also how many samples finish before
    `keep` applies. max_concurrency: samples at once; None for the fewest that could decide.
    window: tokens a group of DeepConf's confidence; keep: the share of traces that are confident
    enough, the others being stopped while they run; None to stop none.
    """

    n: int
    weight: Weight = "count"
    stop: StopRule = "unbeatable"
    confidence: float = 0.95
    min_samples: int = 3
    max_concurrency: int | None = None
    window: int = 128
    keep: float | None = None
    choices: int = 1

    def __post_init__(self) -> None:
        if self.weight != "count" and self.stop == "unbeatable":
            message = "unbeatable needs votes of equal weight: use confident, or never"
            raise VoteError("stop", message)
        if self.keep is not None and self.weight != "confidence":
            raise VoteError("keep", "needs weight confidence")
        if self.choices > 1 and self.stop == "unbeatable":
            message = "unbeatable settles one answer alone: use never, or confident"
            raise VoteError("stop", message)
        if self.keep is not None and self.min_samples >= self.n:
            message = f"needs fewer min_samples than n, {self.n}: they finish before it applies"
            raise VoteError("keep", message)
        if self.choices > self.n:
            message = f"{self.n} samples cannot give {self.choices} different answers"
            raise VoteError("n", message)

    def rule(self) -> Rule:
        if self.stop == "never":
            return Never()
        if self.stop == "unbeatable":
            return Unbeatable()
        return Confident(self.confidence, self.min_samples)


@dataclass(frozen=True, slots=True)
class Vote:
    """The policy: `inner` is what each sample runs."""

    inner: Policy
    config: VoteConfig
    reader: Reader
    verifier: Verifier | None = None
    """For the weight `verifier`."""

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        """Ballots as samples finish, then the winner's events, and those of the runners-up."""
        poll = Poll(self, engine, prompt, sampling)
        async with aclosing(poll.take()) as ballots:
            async for ballot in ballots:
                yield ballot
        for event in poll.result():
            yield event


class Poll:
    """One vote: its samples, and what has come of them."""

    def __init__(
        self, vote: Vote, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> None:
        self._config, self._inner, self._verifier = vote.config, vote.inner, vote.verifier
        self._engine, self._prompt, self._sampling = engine, prompt, sampling
        self._rule = vote.config.rule()
        self._tally = Tally(vote.reader)
        self._samples: list[Sample] = []
        self._flying: dict[asyncio.Task[None], Sample] = {}

    async def take(self) -> AsyncGenerator[Ballot, None]:
        """Start samples and count them until the vote is decided; abort those in flight then."""
        try:
            while not self._decided():
                self._start()
                landed, _ = await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(landed, key=lambda task: self._flying[task].number):
                    sample = self._flying.pop(task)
                    task.result()
                    if sample.final is not None:
                        await self._tally.add(sample)
                        generated = sample.final.usage.generated
                        yield Ballot(sample.number, sample.answer, sample.weight, generated)
        finally:
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)

    def result(self) -> list[Event]:
        """The events of each choice: of the heaviest group's first sample, and so on.

        The first choice's usage is that of the whole vote; the others add nothing to it.
        """
        groups = self._tally.ranking()[: self._config.choices]
        winners = [group[0] for group in groups]
        if not winners:
            winners = [min(self._tally.abstained, key=lambda sample: sample.number)]
        election, usage = self._election(), total_usage(self._samples)
        events: list[Event] = []
        for choice, winner in enumerate(winners):
            assert winner.final is not None, "only samples that finished are counted"
            vote = replace(election, answer=winner.answer)
            events += [replace(delta, choice=choice) for delta in winner.deltas]
            events.append(replace(winner.final, usage=usage, vote=vote, choice=choice))
            usage = Usage(usage.prompt, 0, 0, 0, 0, 0)
        return events

    @property
    def _left(self) -> int:
        """Samples that have not come to an end."""
        return self._config.n - len(self._samples) + len(self._flying)

    def _decided(self) -> bool:
        weights, done = self._tally.relative_weights(), self._config.n - self._left
        return self._rule.decided(weights, done, self._left)

    def _start(self) -> None:
        weights, done = self._tally.relative_weights(), self._config.n - self._left
        enough = self._rule.enough(weights, done, self._left)
        while len(self._flying) < min(self._left, self._config.max_concurrency or enough):
            number, meter = len(self._samples), Meter(self._engine)
            gauge = None
            if self._config.weight == "confidence":
                gauge = Gauge(meter, self._config.window, self._floor)
            sample = Sample(number, meter, gauge)
            self._samples.append(sample)
            self._flying[asyncio.create_task(self._draw(sample))] = sample

    def _floor(self) -> float:
        """How confident a trace must be, as the first samples to finish have it."""
        warm = self._tally.counted[: self._config.min_samples]
        if self._config.keep is None or len(warm) < self._config.min_samples:
            return -inf
        return floor_of([sample.weight for sample in warm], self._config.keep)

    async def _draw(self, sample: Sample) -> None:
        """Run one sample to its end, or until it is hopeless."""
        engine = sample.gauge or sample.meter
        seed = derived(self._sampling.seed, "sample", sample.number)
        sampling = replace(self._sampling, seed=seed)
        try:
            async with aclosing(self._inner.run(engine, self._prompt, sampling)) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        sample.deltas.append(event)
                    elif isinstance(event, Final):
                        sample.final = event
        except Hopeless:
            sample.filtered = True
            return
        if self._verifier is not None:
            calls = sample.tool_calls
            said = f"{sample.content}{as_answer(calls)}" if calls else sample.content
            sample.score = await self._verifier.score(said)

    def _election(self) -> Election:
        tally, started = self._tally, len(self._samples)
        finished = len(tally.counted)
        filtered = sum(sample.filtered for sample in self._samples)
        stopped_by: Stop = "all"
        if self._config.stop != "never" and finished + filtered < self._config.n:
            stopped_by = self._config.stop
        return Election(
            answer=None,
            counts={str(group[0].answer): len(group) for group in tally.ranking()},
            weights=tally.weights(),
            started=started,
            finished=finished,
            aborted=started - finished,
            filtered=filtered,
            abstained=len(tally.abstained),
            tokens=sum(sample.meter.generated for sample in self._samples),
            stopped_by=stopped_by,
        )
