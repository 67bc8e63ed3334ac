"""Citations that hold: each is checked, and what does not hold is repaired or left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from decoding.critic import Critic
from decoding.shelf import Shelf
from decoding.statements import Statement
from decoding.together import together
from decoding.types import Grounding

Supports = Mapping[tuple[int, int], float | None]
"""By the places of statements and the numbers of passages; None where the critic did not say."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """threshold: support from which on a citation holds; checks: that are made of a text at most,
    whatever is not checked does not hold."""

    critic: Critic
    question: str
    shelf: Shelf
    threshold: float
    checks: int

    async def checked(self, found: Sequence[Statement]) -> Supports:
        """Of each statement by each passage that it cites."""
        return await self._supports(
            found, [(i, number) for i, each in enumerate(found) for number in each.cited]
        )

    async def repaired(
        self, found: Sequence[Statement], supports: Supports, numbers: Sequence[int]
    ) -> tuple[list[Statement], Supports]:
        """Citations that do not hold are dropped. Where a statement has none left, the passage
        among these numbers that supports it best is cited, if one does."""
        kept = [
            replace(each, cited=tuple(n for n in each.cited if self.holds(supports, i, n)))
            for i, each in enumerate(found)
        ]
        more = await self._supports(
            found,
            [
                (i, number)
                for i, each in enumerate(kept)
                if each.says_something and not each.cited
                for number in numbers
                if (i, number) not in supports
            ],
            made=len(supports),
        )
        known = {**supports, **more}
        for i, each in enumerate(kept):
            others = [n for n in numbers if (i, n) in more and self.holds(known, i, n)]
            if not each.cited and others:
                best = max(others, key=lambda number: known[i, number] or 0.0)
                kept[i] = replace(each, cited=(best,))
        return kept, known

    def holds(self, supports: Supports, statement: int, number: int) -> bool:
        support = supports.get((statement, number))
        return support is not None and support >= self.threshold

    def grounding(self, found: Sequence[Statement], supports: Supports) -> Grounding:
        right = [
            [self.holds(supports, i, number) for number in each.cited]
            for i, each in enumerate(found)
        ]
        said = [i for i, each in enumerate(found) if each.says_something]
        return Grounding(
            statements=len(said),
            supported=sum(any(right[i]) for i in said),
            citations=sum(map(len, right)),
            right=sum(map(sum, right)),
        )

    async def _supports(
        self, found: Sequence[Statement], pairs: Sequence[tuple[int, int]], made: int = 0
    ) -> Supports:
        """made: checks of this text that were made before."""
        asked = pairs[: max(0, self.checks - made)]
        told = await together(
            [
                self.critic.support(self.question, self.shelf[number], found[i].text)
                for i, number in asked
            ]
        )
        return dict(zip(asked, told, strict=True))
