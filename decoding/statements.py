"""An answer as statements, each with the numbers that it cites: "The Ulm has 3 bridges. [2]"."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

MARK = re.compile(r"[^\S\n]*\[(\d+(?:\s*[,;]\s*\d+)*)\]")
SENTENCE = re.compile(
    r"""[^\n]+?
        (?: [.!?…]+ ["'”’)]* (?: [^\S\n]* \[\d[\d,;\s]*\] )* (?=\s|$)   # an end, with its marks
          | (?=\n|$) )
    """,
    re.VERBOSE,
)


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
    for match in SENTENCE.finditer(text):
        words = match[0].lstrip()
        before = text[end : match.start()] + match[0][: len(match[0]) - len(words)]
        end = match.end()
        said, cited = MARK.sub("", words).strip(), _cited(words, known)
        if said:
            found.append(Statement(said, cited, before))
        elif found and cited:  # marks alone are of what stands before them
            last = found[-1]
            found[-1] = Statement(last.text, _once((*last.cited, *cited)), last.before)
    return found


def text_of(found: Sequence[Statement]) -> str:
    return "".join(f"{each.before}{each.text}{each.marks}" for each in found)


def _cited(words: str, known: Collection[int]) -> tuple[int, ...]:
    numbers = [int(each) for mark in MARK.finditer(words) for each in re.findall(r"\d+", mark[1])]
    return _once([each for each in numbers if each in known])


def _once(numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers))
