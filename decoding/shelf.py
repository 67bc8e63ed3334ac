"""Passages by number: what an answer may cite, whatever is found when."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from decoding.passages import Passage

LINE_NUMBER = re.compile(r"^\[(?=\d)", re.MULTILINE)


@dataclass(slots=True)
class Shelf:
    """A passage that is found again keeps its number: those from 1 on, in the order of finding."""

    _passages: list[Passage] = field(default_factory=list)
    _numbers: dict[Passage, int] = field(default_factory=dict)
    _relevance: dict[int, float | None] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Passage:
        return self._passages[number - 1]

    def __len__(self) -> int:
        return len(self._passages)

    @property
    def numbers(self) -> range:
        return range(1, len(self) + 1)

    def add(self, passages: Iterable[Passage]) -> list[int]:
        """Returns the numbers of those that were not there yet."""
        added = []
        for passage in passages:
            if passage in self._numbers:
                continue
            self._passages.append(passage)
            self._numbers[passage] = len(self)
            added.append(len(self))
        return added

    def judge(self, number: int, relevance: float | None) -> None:
        self._relevance[number] = relevance

    def relevance(self, number: int) -> float | None:
        return self._relevance.get(number)

    @property
    def best_first(self) -> Sequence[int]:
        """By relevance, those that were not judged last; of equal ones the one found first."""
        return sorted(self.numbers, key=self._rank)

    def page(self, numbers: Iterable[int]) -> str:
        """As a writer reads them; no line in a passage begins as the next one would."""
        return "\n\n".join(
            f"[{number}] {LINE_NUMBER.sub('[ ', self[number].whole)}" for number in numbers
        )

    def _rank(self, number: int) -> tuple[bool, float]:
        relevance = self._relevance.get(number)
        return relevance is None, -(relevance or 0.0)
