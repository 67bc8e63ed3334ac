"""Segments of a model that was taught reflection tokens: as it writes, it criticises."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from math import exp

from decoding import critique
from decoding.critic import first_probabilities, read_in
from decoding.critique import Critique, Probabilities, Weights
from decoding.engine import Codec, Engine
from decoding.reflection import Reflection
from decoding.seeds import derived
from decoding.segments import Branch, Segment, continued
from decoding.types import Chunk, Sampling


@dataclass(slots=True)
class ReflectiveWriter:
    """context: tokens that the model reads at most, passages among them."""

    engine: Engine
    prompt: tuple[int, ...]
    sampling: Sampling
    codec: Codec
    turn_ends: frozenset[int]
    context: int
    weights: Weights
    places: asyncio.Semaphore
    tokens: Reflection
    _drawn: int = field(default=0, init=False)

    async def retrieval(self, so_far: Sequence[Segment]) -> float | None:
        """A segment's last token says it of the next; before the first the engine is asked."""
        if so_far:
            return so_far[-1].retrieval
        told = self.tokens.told
        found = await first_probabilities(self.engine, self.prompt, self.sampling, told)
        return critique.retrieval(found, self.tokens)

    def has_room(self, so_far: Sequence[Segment], branch: Branch) -> bool:
        return self._room(so_far, self._read_in(branch)) > 0

    async def write(self, so_far: Sequence[Segment], branch: Branch) -> Segment:
        context = self._read_in(branch)
        drawing = Drawing(self.tokens, self.codec, self.turn_ends)
        ids = (*self.prompt, *_ids(so_far), *context)
        sampling = replace(
            self.sampling,
            max_tokens=self._room(so_far, context),
            seed=derived(self.sampling.seed, "segment", self._drawn),
            stop_token_ids=drawing.stops,
            told_ids=self.tokens.told,
            ignore_eos=True,
            stop=(),
            grammar=None,
            logprobs=None,
        )
        self._drawn += 1
        async with self.places, aclosing(self.engine.generate(ids, sampling)) as chunks:
            async for chunk in chunks:
                drawing.see(chunk)
        before = so_far[-1] if branch.goes_on else None
        return drawing.segment(branch, context, self.weights, before)

    def _read_in(self, branch: Branch) -> tuple[int, ...]:
        if branch.goes_on:
            return (self.tokens.same_evidence,)
        if branch.passage is None:
            return (self.tokens.no_retrieval,)
        return read_in(branch.passage, self.tokens, self.codec)

    def _room(self, so_far: Sequence[Segment], context: Sequence[int]) -> int:
        drawn = sum(len(each.token_ids) for each in so_far)
        used = len(self.prompt) + len(_ids(so_far)) + len(context)
        return min(self.sampling.max_tokens - drawn, self.context - used)


def _ids(so_far: Sequence[Segment]) -> list[int]:
    return [token for each in so_far for token in (*each.context, *each.token_ids)]


class Drawing:
    """What comes of one engine call that writes a segment."""

    def __init__(self, tokens: Reflection, codec: Codec, turn_ends: frozenset[int]) -> None:
        self._tokens, self._codec, self._turn_ends = tokens, codec, turn_ends
        self._drawn: list[int] = []
        self._told: list[Mapping[int, float]] = []
        self._last: int | None = None

    @property
    def stops(self) -> tuple[int, ...]:
        return (*self._tokens.decisions, *sorted(self._turn_ends))

    def see(self, chunk: Chunk) -> None:
        self._drawn += chunk.token_ids
        self._told += chunk.told
        if chunk.stop_token is not None:
            self._last = chunk.stop_token

    def segment(
        self,
        branch: Branch,
        context: Sequence[int],
        weights: Weights,
        before: Segment | None = None,
    ) -> Segment:
        """Without the decision that ended it. before: the one whose evidence this continues, and
        whose relevance is this one's."""
        found = self._critique()
        special = {*self._tokens.told, self._tokens.paragraph, self._tokens.end_of_paragraph}
        words = [
            (token, self._told[i][token])
            for i, token in enumerate(self._drawn)
            if token not in special
        ]
        ids = [token for token, _ in words]
        ends_turn = self._last in self._turn_ends
        last = (self._last,) if self._last is not None and ends_turn else ()
        supports = [token for token in self._drawn if token in self._tokens.supports]
        return Segment(
            branch.passage,
            tuple(context),
            (*self._drawn, *last),
            continued(self._codec, ids),
            found,
            is_relevant=self._is_relevant(before),
            is_supported=supports[0] != self._tokens.unsupported if supports else None,
            score=critique.score(self._logprobs([each for _, each in words]), found, weights),
            retrieval=critique.retrieval(self._probabilities(len(self._drawn)), self._tokens),
            goes_on=self._last == self._tokens.same_evidence,
            ended=self._last is None or ends_turn,
            ended_turn=ends_turn,
        )

    def _logprobs(self, words: list[float]) -> list[float]:
        """Of the words; of what ended the segment, where there are none: silence is not certain."""
        if words or self._last is None:
            return words
        return [self._told[len(self._drawn)][self._last]]

    def _is_relevant(self, before: Segment | None) -> bool:
        """By the token that was drawn; where none was, as the segment before."""
        drawn = [token for token in self._drawn if token in self._tokens.relevances]
        if drawn:
            return drawn[0] == self._tokens.relevant
        return before is None or before.is_relevant

    def _critique(self) -> Critique:
        """Relevance where the call began; the others where they were first drawn."""
        tokens = self._tokens
        is_judged = bool(self._drawn) and self._drawn[0] in tokens.relevances
        at_support = self._first(tokens.supports)
        at_utility = self._first(tokens.utilities)
        return Critique(
            critique.relevance(self._probabilities(0), tokens) if is_judged else None,
            None
            if at_support is None
            else critique.support(self._probabilities(at_support), tokens),
            None
            if at_utility is None
            else critique.utility(self._probabilities(at_utility), tokens),
        )

    def _first(self, tokens: Sequence[int]) -> int | None:
        return next((i for i, token in enumerate(self._drawn) if token in tokens), None)

    def _probabilities(self, position: int) -> Probabilities:
        if position >= len(self._told):
            return {}
        return {token: exp(logprob) for token, logprob in self._told[position].items()}
