"""Self-RAG: the model decides when to look something up, writes on each passage beside the others,
and criticises what it wrote; a search over segments keeps the best (arXiv 2310.11511, section 3.3).

What differs from the authors' own code, which loses some of it: a hypothesis is the mean of its
segments' scores, so that a short one that has ended is not outbid by depth; those that end wait
until the search is over; each continues its own text alone; and passages are searched anew for each
segment.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from decoding.citing import Citing
from decoding.critic import read_in
from decoding.critique import Probabilities, Weights, wants_retrieval
from decoding.engine import Codec, Engine
from decoding.passages import Passage, Retriever
from decoding.reflection import Reflection
from decoding.seeds import derived
from decoding.segments import Drawing, Segment
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


@dataclass(frozen=True, slots=True)
class SelfRag:
    """The policy. question: what is searched for first; context: tokens that the model reads at
    most, passages among them."""

    config: SelfRagConfig
    tokens: Reflection
    codec: Codec
    turn_ends: frozenset[int]
    retriever: Retriever
    question: str
    context: int
    at_once: int = 16
    """Branches that are written at once: one answer's are not to fill the engine."""

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        """Content as soon as all that may still become the answer have it in common."""
        search = Search(self, engine, prompt, sampling)
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
    def ids(self) -> tuple[int, ...]:
        return tuple(token for each in self.segments for token in (*each.context, *each.token_ids))

    @property
    def score(self) -> float:
        return sum(each.score for each in self.segments) / max(1, len(self.segments))

    @property
    def has_ended(self) -> bool:
        return self.is_cut or (bool(self.segments) and self.segments[-1].ended)

    @property
    def drawn(self) -> int:
        return sum(len(each.token_ids) for each in self.segments)

    def and_then(self, segment: Segment, trial: int) -> "Hypothesis":
        return Hypothesis((*self.segments, segment), (*self.trials, trial))


@dataclass(frozen=True, slots=True)
class Branch:
    """A way to go on: a passage, or none, and the ids before what is to be written."""

    passage: Passage | None
    context: tuple[int, ...]


class Search:
    """One answer: what has been tried, and what of it still may become the answer."""

    def __init__(
        self, of: SelfRag, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> None:
        self._of, self._config, self._tokens = of, of.config, of.tokens
        self._engine, self._prompt, self._sampling = engine, tuple(prompt), sampling
        self._calls = self._generated = self._retrievals = self._read = 0
        self._trials: list[Trial] = []
        self._places = asyncio.Semaphore(of.at_once)
        self._citing = Citing()
        self._said: list[Delta] = []

    async def run(self) -> AsyncGenerator[Event, None]:
        live, best, settled = [Hypothesis()], list[Hypothesis](), 0
        for _ in range(self._config.max_segments):
            grown = await self._grown(live)
            best = _best([*best, *(each for each in grown if each.has_ended)], 1)
            live = _best([each for each in grown if not each.has_ended], self._config.beam)
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
        plain = Branch(None, (self._tokens.no_retrieval,))
        again = await self._written(
            [
                (each, branch)
                for each, of in dropped
                if any(branch.passage for branch in of)
                for branch in self._fitting(each, [plain])
            ]
        )
        kept += [each for each in again if _is_supported(each)]
        left = {each.trials[:-1] for each in kept}
        ends = [replace(each, is_cut=True) for each, _ in dropped if each.trials not in left]
        return [*kept, *cut, *ends]

    async def _written(self, tries: Sequence[tuple[Hypothesis, Branch]]) -> list[Hypothesis]:
        segments = await together([self._draw(each, branch) for each, branch in tries])
        return [
            self._tried(each, segment) for (each, _), segment in zip(tries, segments, strict=True)
        ]

    async def _branches(self, of: Hypothesis) -> list[Branch]:
        """Those that there is room for: none where the answer has to end here."""
        tokens, last = self._tokens, of.segments[-1] if of.segments else None
        is_same = last is not None and last.decided == tokens.same_evidence
        if last and last.passage and is_same and self._config.mode == "adaptive":
            return self._fitting(of, [Branch(last.passage, (tokens.same_evidence,))])
        if not await self._retrieves(of):
            return self._fitting(of, [Branch(None, (tokens.no_retrieval,))])
        query = f"{self._of.question} {last.text.strip()}" if last else self._of.question
        passages = await self._of.retriever.search(query, self._config.top_k)
        self._retrievals += 1
        read = [Branch(each, read_in(each, tokens, self._of.codec)) for each in passages]
        found = self._fitting(of, read)
        self._read += len(found)
        return found or self._fitting(of, [Branch(None, (tokens.no_retrieval,))])

    async def _retrieves(self, of: Hypothesis) -> bool:
        if self._config.mode != "adaptive":
            return self._config.mode == "always"
        decision = of.segments[-1].decision if of.segments else await self._first_decision()
        return bool(wants_retrieval(decision, self._tokens, self._config.threshold))

    async def _first_decision(self) -> Probabilities:
        """Asked of the engine before anything is written; later ones come with their segments."""
        drawing = self._drawing()
        sampling = replace(self._asked(), max_tokens=1, aside=True)
        async with aclosing(self._engine.generate(self._prompt, sampling)) as chunks:
            async for chunk in chunks:
                self._generated += chunk.generated
                drawing.see(chunk)
        return drawing.probabilities(0)

    async def _draw(self, of: Hypothesis, branch: Branch) -> Segment:
        ids = (*self._prompt, *of.ids, *branch.context)
        room = min(self._sampling.max_tokens - of.drawn, self._of.context - len(ids))
        drawing = self._drawing()
        sampling = replace(self._asked(), max_tokens=room, stop_token_ids=drawing.stops)
        async with self._places, aclosing(self._engine.generate(ids, sampling)) as chunks:
            async for chunk in chunks:
                self._generated += chunk.generated
                drawing.see(chunk)
        goes_on = branch.context == (self._tokens.same_evidence,)
        before = of.segments[-1] if goes_on else None
        return drawing.segment(branch.passage, branch.context, self._config.weights, before)

    def _fitting(self, of: Hypothesis, branches: Sequence[Branch]) -> list[Branch]:
        if of.drawn >= self._sampling.max_tokens:
            return []
        used = len(self._prompt) + len(of.ids)
        return [each for each in branches if used + len(each.context) < self._of.context]

    def _drawing(self) -> Drawing:
        return Drawing(self._tokens, self._of.codec, self._of.turn_ends)

    def _asked(self) -> Sampling:
        """Of one call: each draws with a seed of its own."""
        self._calls += 1
        return replace(
            self._sampling,
            seed=derived(self._sampling.seed, "segment", self._calls - 1),
            told_ids=self._tokens.told,
            ignore_eos=True,
            stop=(),
            grammar=None,
            logprobs=None,
        )

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
            prompt=len(self._prompt),
            completion=len(completion),
            reasoning=0,
            injected=marked,
            generated=self._generated,
            discarded=self._generated + marked - len(completion),
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
