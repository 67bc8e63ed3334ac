"""Answers with reflection tokens, by the labels of a critic: the generator data of Self-RAG
(arXiv 2310.11511, section 3.2 and appendix A) for rows of one's own.

A critic says whether a question needs anything looked up, which passages are relevant, whether one
supports a sentence, and how useful the answer is. In the mini world its rules are the critic
(training/data/lookups.py); elsewhere a model is, asked over HTTP (training/reflect.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from decoding.passages import Passage, neutral
from decoding.reflection import ReflectionNames
from decoding.statements import sentences
from training.data.sources import Row, RowError

Support = Literal["Fully", "Partially", "No"]
RANK: dict[Support, int] = {"Fully": 2, "Partially": 1, "No": 0}
NAMES = ReflectionNames()
SUPPORTS = {"Fully": NAMES.fully, "Partially": NAMES.partially, "No": NAMES.unsupported}


class Labels(Protocol):
    """What a critic says."""

    async def needs_passage(self, question: str) -> bool: ...

    async def is_relevant(self, question: str, passage: Passage) -> bool: ...

    async def support(self, passage: Passage, statement: str) -> Support: ...

    async def utility(self, question: str, answer: str) -> int:
        """From 1 to 5."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """A row to label: passages that were found for the question, the best first."""

    question: str
    answer: str
    passages: Sequence[Passage]


def answered(row: Row) -> Answered:
    """Of `question`, `answer` and `passages` [{title, text}], which may be empty. Raises RowError.

    Reflection tokens in any of them are broken up: they are the critic's alone to say.
    """
    found = row.values.get("passages", [])
    if not isinstance(found, list):
        raise RowError(f"{row.place}: passages: should be a list")
    passages = [_passage(row, number, each) for number, each in enumerate(found)]
    clean = [neutral(row.text(column), NAMES.all) for column in ("question", "answer")]
    return Answered(clean[0], clean[1], passages)


def _passage(row: Row, number: int, given: Any) -> Passage:
    text = given.get("text") if isinstance(given, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise RowError(f"{row.place}: passages.{number}.text: should be a text")
    title = str(given.get("title") or "")
    return Passage(str(number), neutral(text, NAMES.all), neutral(title, NAMES.all))


async def reflected(row: Answered, labels: Labels) -> str:
    """The answer as a model of Self-RAG's kind would write it.

    Each sentence stands on the passage that supports it best, among the relevant ones; on the first
    passage where none is, which teaches what irrelevance looks like. A passage that the sentence
    before stood on is not read again.
    """
    utility = NAMES.utilities[await labels.utility(row.question, row.answer) - 1]
    if not row.passages or not await labels.needs_passage(row.question):
        return f"{NAMES.no_retrieval}{row.answer}{utility}"
    relevant = [each for each in row.passages if await labels.is_relevant(row.question, each)]
    text, last = "", None
    end = 0
    for first, last_of_it in sentences(row.answer):
        said = row.answer[end:last_of_it].lstrip(" ")  # behind each there is a space already
        end = last_of_it
        passage, support = await _best(relevant, row.answer[first:end].strip(), labels)
        if passage is None:
            text += f"{_read(row.passages[0])}{NAMES.irrelevant}{said} {NAMES.unsupported}"
            last = None
        else:
            again = passage == last
            text += NAMES.same_evidence if again else f"{_read(passage)}{NAMES.relevant}"
            text += f"{said} {SUPPORTS[support]}"
            last = passage
    return f"{text}{utility}"


async def _best(
    relevant: Sequence[Passage], statement: str, labels: Labels
) -> tuple[Passage | None, Support]:
    """None where no passage is relevant. Those behind one that supports it fully are not asked
    about."""
    best: tuple[Passage | None, Support] = (None, "No")
    for passage in relevant:
        support = await labels.support(passage, statement)
        if best[0] is None or RANK[support] > RANK[best[1]]:
            best = passage, support
        if support == "Fully":
            break
    return best


def _read(passage: Passage) -> str:
    return f"{NAMES.retrieval}{NAMES.paragraph}{passage.whole}{NAMES.end_of_paragraph}"
