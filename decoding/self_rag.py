"""Self-RAG: the model decides when to look something up, writes on each passage beside the others,
and criticises what it wrote; a search over segments keeps the best (arXiv 2310.11511, section 3.3).

What differs from the authors' own code, which loses some of it: a hypothesis is the mean of its
segments' scores, so that a short one that has ended is not outbid by depth; those that end wait
until the search is over; each continues its own text alone; and passages are searched anew for each
segment.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from decoding.citing import Citing
from decoding.critique import Weights
from decoding.engine import Codec, Engine
from decoding.metering import Meter
from decoding.passages import Retriever
from decoding.segments import Branch, Segment, Writer
from decoding.together import together
from decoding.types import Delta, Event, Evidence, Final, Finish, Sampling, Trial, Usage

Mode = Literal["adaptive", "always", "never"]


@dataclass(frozen=True, slots=True)
class SelfRagConfig:
    """threshold: δ, above which share of the two decisions' probability passages are retrieved; in
    `adaptive` mode alone. top_k: passages a segment; beam: hypotheses that are gone on with.
    require_support: a segment that says of itself that nothing supports it is dropped.
    """

    mode: Mode = "adaptive"
    threshold: float = 0.2
    top_k: int = 5
    beam: int = 2
    max_segments: int = 7
    weights: Weights = field(default_factory=Weights)
    require_support: bool = False


WriterOf = Callable[[Engine, Sequence[int], Sampling], Writer]


@dataclass(frozen=True, slots=True)
class SelfRag:
    """The policy. question: what is searched for first; writer: made for each answer; exhaustive:
    go on with what cannot win, too, to no other end than to compare."""

    config: SelfRagConfig
    codec: Codec
    retriever: Retriever
    question: str
    writer: WriterOf
    exhaustive: bool = False

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        """Content as soon as all that may still become the answer have it in common."""
        meter = Meter(engine)
        search = Search(self, meter, self.writer(meter, prompt, sampling), len(prompt))
        async with aclosing(search.run()) as events:
            async for event in events:
                yield event


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An answer so far. trials: its segments, by their places among all that were tried."""

    segments: tuple[Segment, ...] = ()
    trials: tuple[int, ...] = ()
    is_cut: bool = False

    @property
    def score(self) -> float:
        return sum(each.score for each in self.segments) / max(1, len(self.segments))

    @property
    def has_ended(self) -> bool:
        return self.is_cut or (bool(self.segments) and self.segments[-1].ended)

    def and_then(self, segment: Segment, trial: int) -> "Hypothesis":
        return Hypothesis((*self.segments, segment), (*self.trials, trial))


class Search:
    """One answer: what has been tried, and what of it still may become the answer."""

    def __init__(self, of: SelfRag, meter: Meter, writer: Writer, prompt: int) -> None:
        """prompt: its tokens."""
        self._of, self._config = of, of.config
        self._meter, self._writer, self._prompt = meter, writer, prompt
        self._retrievals = self._read = 0
        self._trials: list[Trial] = []
        self._citing = Citing()
        self._said: list[Delta] = []

    async def run(self) -> AsyncGenerator[Event, None]:
        live, best, settled = [Hypothesis()], list[Hypothesis](), 0
        for _ in range(self._config.max_segments):
            grown = await self._grown(live)
            best = _best([*best, *(each for each in grown if each.has_ended)], 1)
            live = _best([each for each in grown if not each.has_ended], self._config.beam)
            live = [each for each in live if self._may_win(each, best)]
            common = _common([*live, *best])
            for delta in self._content(common[settled:]):
                yield delta
            settled = max(settled, len(common))
            if not live:
                break
        (answer,) = _best([*best, *live], 1)
        for delta in self._content(answer.segments[settled:]):
            yield delta
        yield self._final(answer)

    def _may_win(self, of: Hypothesis, best: Sequence[Hypothesis]) -> bool:
        """Whether it would beat the best that has ended if all its next segments were perfect."""
        if not best or self._of.exhaustive:
            return True
        weights, done = self._config.weights, len(of.segments)
        perfect = 1 + weights.relevance + weights.support + weights.utility
        left = self._config.max_segments - done
        return (done * of.score + left * perfect) / (done + left) > best[0].score

    async def _grown(self, live: Sequence[Hypothesis]) -> list[Hypothesis]:
        """Each hypothesis by each of its next segments, all of which are written at once."""
        branches = await together([self._branches(each) for each in live])
        found = list(zip(live, branches, strict=True))
        grown = await self._written([(each, branch) for each, of in found for branch in of])
        cut = [replace(each, is_cut=True) for each, of in found if not of]
        if not self._config.require_support:
            return [*grown, *cut]
        kept = [each for each in grown if _is_supported(each)]
        left = {each.trials[:-1] for each in kept}
        dropped = [(each, of) for each, of in found if of and each.trials not in left]
        again = await self._written(
            [
                (each, branch)
                for each, of in dropped
                if any(branch.passage for branch in of)
                for branch in self._fitting(each, [Branch()])
            ]
        )
        kept += [each for each in again if _is_supported(each)]
        left = {each.trials[:-1] for each in kept}
        ends = [replace(each, is_cut=True) for each, _ in dropped if each.trials not in left]
        return [*kept, *cut, *ends]

    async def _written(self, tries: Sequence[tuple[Hypothesis, Branch]]) -> list[Hypothesis]:
        writes = [self._writer.write(each.segments, branch) for each, branch in tries]
        segments = await together(writes)
        return [
            self._tried(each, segment) for (each, _), segment in zip(tries, segments, strict=True)
        ]

    async def _branches(self, of: Hypothesis) -> list[Branch]:
        """Those that there is room for: none where the answer has to end here."""
        last = of.segments[-1] if of.segments else None
        if last and last.passage and last.goes_on and self._config.mode == "adaptive":
            return self._fitting(of, [Branch(last.passage, goes_on=True)])
        if not await self._retrieves(of):
            return self._fitting(of, [Branch()])
        query = f"{self._of.question} {last.text.strip()}" if last else self._of.question
        passages = await self._of.retriever.search(query, self._config.top_k)
        self._retrievals += 1
        found = self._fitting(of, [Branch(each) for each in passages])
        self._read += len(found)
        return found or self._fitting(of, [Branch()])

    async def _retrieves(self, of: Hypothesis) -> bool:
        if self._config.mode != "adaptive":
            return self._config.mode == "always"
        retrieval = await self._writer.retrieval(of.segments)
        return retrieval is not None and retrieval > self._config.threshold

    def _fitting(self, of: Hypothesis, branches: Sequence[Branch]) -> list[Branch]:
        return [each for each in branches if self._writer.has_room(of.segments, each)]

    def _tried(self, of: Hypothesis, segment: Segment) -> Hypothesis:
        number, found = len(self._trials), segment.critique
        self._trials.append(
            Trial(
                of.trials[-1] if of.trials else None,
                segment.passage.id if segment.passage else None,
                segment.text,
                segment.score,
                found.relevance,
                found.support,
                found.utility,
                chosen=False,
            )
        )
        return of.and_then(segment, number)

    def _content(self, segments: Sequence[Segment]) -> list[Delta]:
        deltas = []
        for segment in segments:
            words, mark, space = self._citing.add(segment)
            ids = segment.token_ids
            deltas.append(Delta("content", words if mark else words + space, ids))
            if mark:
                marked = tuple(self._of.codec.encode(mark))
                deltas.append(Delta("content", mark, marked, injected=True))
                deltas.append(Delta("content", space, ()))
        found = [each for each in deltas if each.text or each.token_ids]
        self._said += found
        return found

    def _final(self, answer: Hypothesis) -> Final:
        marked = sum(len(each.token_ids) for each in self._said if each.injected)
        completion = tuple(token for each in self._said for token in each.token_ids)
        usage = Usage(
            prompt=self._prompt,
            completion=len(completion),
            reasoning=0,
            injected=marked,
            generated=self._meter.generated,
            discarded=self._meter.generated + marked - len(completion),
        )
        chosen = set(answer.trials)
        utilities = [each.critique.utility for each in answer.segments]
        evidence = Evidence(
            tuple(self._citing.citations),
            next((each for each in reversed(utilities) if each is not None), None),
            self._retrievals,
            self._read,
            tuple(replace(each, chosen=i in chosen) for i, each in enumerate(self._trials)),
        )
        is_whole = bool(answer.segments) and answer.segments[-1].ended_turn
        finish: Finish = "stop" if is_whole else "length"
        return Final(finish, usage, completion, evidence=evidence)


def _is_supported(hypothesis: Hypothesis) -> bool:
    """Whether its last segment does not say of itself that nothing supports it."""
    return hypothesis.segments[-1].is_supported is not False


def _best(hypotheses: Sequence[Hypothesis], count: int) -> list[Hypothesis]:
    """By score; of those that are alike, the one that was there first."""
    return sorted(hypotheses, key=lambda each: -each.score)[:count]


def _common(hypotheses: Sequence[Hypothesis]) -> tuple[Segment, ...]:
    """The segments with which all of them begin."""
    first, *others = hypotheses
    count = len(first.segments)
    for each in others:
        alike = [a == b for a, b in zip(first.trials, each.trials, strict=False)]
        count = min(count, [*alike, False].index(False))
    return first.segments[:count]
