"""Passages by number: what an answer may cite, whatever is found when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from decoding.passages import Passage


@dataclass(slots=True)
class Shelf:
    """A passage that is found again keeps its number: those from 1 on, in the order of finding."""

    _passages: list[Passage] = field(default_factory=list)
    _numbers: dict[Passage, int] = field(default_factory=dict)
    _relevance: dict[int, float | None] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Passage:
        return self._passages[number - 1]

    def __contains__(self, number: int) -> bool:
        return 1 <= number <= len(self._passages)

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

    def best(self, count: int) -> Sequence[int]:
        """By relevance; of those that are as relevant, or not judged, the one found first."""
        ranked = sorted(self.numbers, key=lambda each: -(self._relevance.get(each) or 0.0))
        return ranked[:count]

    def page(self, numbers: Iterable[int]) -> str:
        """As a writer reads them."""
        return "\n\n".join(f"[{number}] {self[number].whole}" for number in numbers)
