"""Documents as passages: whole paragraphs as far as they fit, long ones in windows that overlap."""

import re
from collections.abc import Iterator

PARAGRAPH = re.compile(r"\n\s*\n")
OVERLAP = 0.2
"""Of a window, that the next one begins with: what is said across a cut is whole in one of them."""


def passages(text: str, words: int) -> Iterator[str]:
    """Of at most so many words each, in order; nothing is left out."""
    gathered: list[str] = []
    size = 0
    for paragraph in PARAGRAPH.split(text):
        count = len(paragraph.split())
        if size + count > words and gathered:
            yield "\n\n".join(gathered)
            gathered, size = [], 0
        if count > words:
            yield from _windows(paragraph, words)
        elif count:
            gathered.append(paragraph.strip())
            size += count
    if gathered:
        yield "\n\n".join(gathered)


def _windows(paragraph: str, words: int) -> Iterator[str]:
    ends = [match.end() for match in re.finditer(r"\S+", paragraph)]
    starts = [match.start() for match in re.finditer(r"\S+", paragraph)]
    step = max(1, words - int(OVERLAP * words))
    for first in range(0, len(starts), step):
        last = min(first + words, len(starts))
        yield paragraph[starts[first] : ends[last - 1]]
        if last == len(starts):
            return
