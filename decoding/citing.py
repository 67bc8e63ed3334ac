"""Segments as content: what rests on a passage is followed by the passage's number."""

from dataclasses import dataclass, field

from decoding.segments import Segment
from decoding.types import Citation


@dataclass(slots=True)
class Citing:
    """Numbers are given in the order of first use, and a document keeps its own."""

    citations: list[Citation] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _length: int = 0

    def add(self, segment: Segment) -> tuple[str, str, str]:
        """The next piece of content: its words, the mark behind them, and space that follows."""
        words = segment.text.rstrip()
        space = segment.text[len(words) :]
        mark = self._mark(segment, words)
        self._length += len(words) + len(mark) + len(space)
        return words, mark, space

    def _mark(self, segment: Segment, words: str) -> str:
        passage, found = segment.passage, segment.critique
        if passage is None or not words.strip() or not segment.rests_on_it:
            return ""
        number = self._numbers.setdefault(passage.id, len(self._numbers) + 1)
        start = self._length + len(words) - len(words.lstrip())
        end = self._length + len(words)
        self.citations.append(
            Citation(start, end, number, passage.id, found.relevance, found.support)
        )
        return f" [{number}]"
