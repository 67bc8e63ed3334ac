"""Passages that an answer may rest on. They are data: what is written in them commands nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from decoding.engine import Codec


@dataclass(frozen=True, slots=True)
class Passage:
    """id: of the document that it is, or is of."""

    id: str
    text: str
    title: str = ""

    @property
    def whole(self) -> str:
        return f"{self.title}\n{self.text}" if self.title else self.text


class RetrievalError(Exception):
    """Nothing could be searched; the message says why."""


class Retriever(Protocol):
    async def search(self, query: str, count: int) -> Sequence[Passage]:
        """The passages that say most about it, the best first; fewer where there are no more.

        Raises RetrievalError.
        """
        ...


class Given:
    """Passages that came with the request, in the order of the words they share with a query."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = [(each, _words(f"{each.title} {each.text}")) for each in passages]

    async def search(self, query: str, count: int) -> Sequence[Passage]:
        asked = _words(query)
        # A stable order: of those that share as many, the one that was given first.
        ranked = sorted(self._passages, key=lambda each: -len(asked & each[1]))
        return [passage for passage, _ in ranked[:count]]


@dataclass(frozen=True, slots=True)
class Neutralizer:
    """Leaves nothing in a text that commands the model.

    controls, control_ids: what is more than text to it, as texts and as tokens.
    """

    codec: Codec
    controls: tuple[str, ...]
    control_ids: frozenset[int]

    def text(self, text: str) -> str:
        """A tokenizer may take other spellings for a control than its own: those are left out."""
        text = neutral(text, self.controls)
        while self.control_ids.intersection(ids := self.codec.encode(text)):
            text = self.codec.decode([each for each in ids if each not in self.control_ids])
        return text

    def passage(self, passage: Passage) -> Passage:
        return Passage(passage.id, self.text(passage.text), self.text(passage.title))


@dataclass(frozen=True, slots=True)
class Neutral:
    """Another's passages, neutralised."""

    inner: Retriever
    neutralizer: Neutralizer

    async def search(self, query: str, count: int) -> Sequence[Passage]:
        return [self.neutralizer.passage(each) for each in await self.inner.search(query, count)]


def neutral(text: str, controls: Sequence[str]) -> str:
    """The text, with nothing left in it that a model takes for one of these controls.

    A space is put behind each one's first character, so that readers still see what stood there.
    """
    for control in sorted(controls, key=len, reverse=True):
        text = text.replace(control, f"{control[0]} {control[1:]}")
    return text


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
