"""An answer as statements, each with the numbers that it cites: "The Ulm has 3 bridges. [2]"."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from decoding.sentences import UNFINISHED

MARK = re.compile(
    r"""(?P<code> (?s: ```.*?(?:```|\Z)) | `[^`\n]*` )
      | [^\S\n]{0,8} [\[【] (?P<numbers> \d{1,3} (?: \s? [,;–-] \s? \d{1,3} )* ) [\]】] (?! \( )
    """,
    re.VERBOSE,
)
"""A citation; code is passed over, and so are links and numbers of more than three digits."""

MARKS = r"(?: [^\S\n]{0,8} [\[【] \d [\d,;–\s-]{0,60} [\]】] )*"

SENTENCE = re.compile(
    rf"""(?s: ```.*?(?:```|\Z))
      | (?=[^\n]) [^\n]*?
        (?: (?<![.!?…]) [.!?…]++ ["'”’)*_]{{0,4}} {MARKS} (?=\s|$)
          | [。！？]++ {MARKS}
          | (?=\n|$) )
    """,
    re.VERBOSE,
)
"""Up to an end, with the marks behind it. No part of it is tried twice, however long a run is."""


@dataclass(frozen=True, slots=True)
class Statement:
    """text: without marks; before: space that stands before it. cited: numbers, in their order."""

    text: str
    cited: tuple[int, ...]
    before: str = ""

    @property
    def marks(self) -> str:
        return "".join(f" [{number}]" for number in self.cited)

    @property
    def says_something(self) -> bool:
        """A line of signs alone, such as a rule, says nothing that could be cited."""
        return any(letter.isalnum() for letter in self.text)


def statements(text: str, known: Collection[int]) -> list[Statement]:
    """known: the numbers that there are; a mark of any other cites nothing, and is left out.

    `text_of` of what comes is `text`, but for the marks, which stand behind their sentences.
    """
    found: list[Statement] = []
    end = 0
    for first, last in sentences(text):
        words = text[first:last].lstrip()
        before = text[end:last][: len(text[end:last]) - len(words)]
        end = last
        said, cited = MARK.sub(_without, words).strip(), _cited(words, known)
        if said:
            found.append(Statement(said, cited, before))
        elif found and cited:  # marks alone are of what stands before them
            before_it = found[-1]
            cited = _once((*before_it.cited, *cited))
            found[-1] = Statement(before_it.text, cited, before_it.before)
    return found


def text_of(found: Sequence[Statement]) -> str:
    return "".join(f"{each.before}{each.text}{each.marks}" for each in found)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where they begin and end."""
    first: int | None = None
    for match in SENTENCE.finditer(text):
        first = match.start() if first is None else first
        said = text[first : match.end()].rstrip()
        ends_line = match.end() == len(text) or text[match.end()] == "\n"
        if ends_line or not UNFINISHED.search(MARK.sub(_without, said).strip()):
            yield first, match.end()
            first = None


def _without(mark: "re.Match[str]") -> str:
    return mark["code"] or ""


def _cited(words: str, known: Collection[int]) -> tuple[int, ...]:
    numbers: list[int] = []
    for mark in MARK.finditer(words):
        for first, last in re.findall(r"(\d+)(?:\s?[–-]\s?(\d+))?", mark["numbers"] or ""):
            numbers += range(int(first), int(last or first) + 1)
    return _once([each for each in numbers if each in known])


def _once(numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers))
