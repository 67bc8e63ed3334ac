"""A segment: what is written on one passage, or on none, before the next decision to retrieve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from decoding import critique
from decoding.critique import Critique, Probabilities, Weights
from decoding.engine import Codec
from decoding.passages import Passage
from decoding.reflection import Reflection
from decoding.types import Chunk


@dataclass(frozen=True, slots=True)
class Segment:
    """passage: that it rests on; None for none. context: ids that stood before it, the passage's
    among them. token_ids: as drawn, with reflection tokens and an end of turn, but without the
    decision that ended it.

    is_supported: by the token that was drawn; None for none. decision: probabilities of what it
    ended with, and decided: which was drawn. ended: whether nothing can follow it, and
    ended_turn: whether the model says so.
    """

    passage: Passage | None
    context: tuple[int, ...]
    token_ids: tuple[int, ...]
    text: str
    critique: Critique
    is_relevant: bool
    is_supported: bool | None
    score: float
    decision: Probabilities
    decided: int | None
    ended: bool
    ended_turn: bool

    @property
    def rests_on_it(self) -> bool:
        """Whether the passage stands behind what is written, by the model's own word."""
        return self.passage is not None and self.is_relevant and bool(self.is_supported)


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
        passage: Passage | None,
        context: Sequence[int],
        weights: Weights,
        before: Segment | None = None,
    ) -> Segment:
        """before: the one whose evidence this continues, and whose relevance is this one's."""
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
            passage,
            tuple(context),
            (*self._drawn, *last),
            self._codec.decode(ids),
            found,
            is_relevant=self._is_relevant(before),
            is_supported=supports[0] != self._tokens.unsupported if supports else None,
            score=critique.score(self._logprobs([each for _, each in words]), found, weights),
            decision=self.probabilities(len(self._drawn)),
            decided=None if ends_turn else self._last,
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
            critique.relevance(self.probabilities(0), tokens) if is_judged else None,
            None
            if at_support is None
            else critique.support(self.probabilities(at_support), tokens),
            None
            if at_utility is None
            else critique.utility(self.probabilities(at_utility), tokens),
        )

    def _first(self, tokens: Sequence[int]) -> int | None:
        return next((i for i, token in enumerate(self._drawn) if token in tokens), None)

    def probabilities(self, position: int) -> Probabilities:
        if position >= len(self._told):
            return {}
        return {token: exp(logprob) for token, logprob in self._told[position].items()}
