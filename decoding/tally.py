"""The samples of a vote, and what they add up to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from decoding import json_content
from decoding.confidence import Gauge
from decoding.metering import Meter
from decoding.tool_calls import as_answer, joined
from decoding.types import Delta, Final, ToolCall, Usage


class Reader(Protocol):
    """Reads answers out of replies and tells whether two are the same."""

    def read(self, content: str) -> str | None: ...

    async def same(self, one: str, other: str) -> bool: ...


class Verifier(Protocol):
    """Says what a reply is worth: at least 0, and the better, the more."""

    async def score(self, content: str) -> float: ...


@dataclass
class Sample:
    """One sample in the making. `final` is None until it has finished, and if it never does."""

    number: int
    meter: Meter
    gauge: Gauge | None
    deltas: list[Delta] = field(default_factory=list)
    final: Final | None = None
    answer: str | None = None
    score: float | None = None
    """What a verifier made of it."""
    filtered: bool = False
    """Stopped as hopeless."""

    @property
    def content(self) -> str:
        return "".join(delta.text for delta in self.deltas if delta.phase == "content")

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return joined(piece for delta in self.deltas for piece in delta.tool_calls)

    @property
    def weight(self) -> float:
        if self.score is not None:
            return self.score
        return 1.0 if self.gauge is None else self.gauge.lowest

    @property
    def usage(self) -> Usage:
        """Of an aborted sample, all that the engine generated is completion."""
        if self.final is not None:
            return self.final.usage
        thought = sum(len(d.token_ids) for d in self.deltas if d.phase == "reasoning")
        spent = self.meter.generated
        return Usage(0, spent, min(thought, spent), injected=0, generated=spent, discarded=0)


class Tally:
    """The samples that have finished, in groups of the same answer.

    The answer of a sample that calls tools is its calls, which are compared by content.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._groups: list[list[Sample]] = []
        self._calling: set[int] = set()
        """Numbers of the samples that call tools."""
        self.counted: list[Sample] = []
        self.abstained: list[Sample] = []

    async def add(self, sample: Sample) -> None:
        self.counted.append(sample)
        calls = sample.tool_calls
        if calls:
            self._calling.add(sample.number)
        sample.answer = as_answer(calls) if calls else self._reader.read(sample.content)
        if sample.answer is None:
            self.abstained.append(sample)
            return
        group = await self._group_of(sample, sample.answer)
        if group is None:
            self._groups.append([sample])
        else:
            group.append(sample)

    async def _group_of(self, sample: Sample, answer: str) -> list[Sample] | None:
        """The same text first: a comparison may fail for want of time, and would split a group."""
        for group in self._groups:
            if any(member.answer == answer for member in group):
                return group
        calls = sample.number in self._calling
        same = _same_calls if calls else self._reader.same
        for group in self._groups:
            alike = (group[0].number in self._calling) == calls
            if alike and await same(str(group[0].answer), answer):
                return group
        return None

    def ranking(self) -> list[list[Sample]]:
        """Groups, the heaviest first; of equal ones that with the earliest sample, so that the
        order in which samples finish does not matter."""
        groups = [sorted(group, key=lambda sample: sample.number) for group in self._groups]
        return sorted(groups, key=lambda group: (-_weight(group), group[0].number))

    def weights(self) -> dict[str, float]:
        return {str(group[0].answer): _weight(group) for group in self.ranking()}

    def relative_weights(self) -> dict[str, float]:
        """On average 1 a sample, as stop rules want them."""
        weights, voters = self.weights(), len(self.counted) - len(self.abstained)
        scale = voters / (sum(weights.values()) or 1.0)
        return {answer: weight * scale for answer, weight in weights.items()}


def total_usage(samples: Sequence[Sample]) -> Usage:
    """One prompt, and what all samples took beside it."""
    usages = [sample.usage for sample in samples]
    return Usage(
        prompt=max(usage.prompt for usage in usages),
        completion=sum(usage.completion for usage in usages),
        reasoning=sum(usage.reasoning for usage in usages),
        injected=sum(usage.injected for usage in usages),
        generated=sum(usage.generated for usage in usages),
        discarded=sum(usage.discarded for usage in usages),
    )


async def _same_calls(one: str, other: str) -> bool:
    return json_content.equal(one, other)


def _weight(group: Sequence[Sample]) -> float:
    return sum(sample.weight for sample in group)
