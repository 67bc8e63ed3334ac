"""What a critic says of passages and statements: by reflection tokens, or by short questions.

A model that was taught reflection tokens says what it thinks with one of them. Any other is asked,
and the first tokens of the few answers that there may be are weighed among themselves, as the
reflection tokens are: a critic is what can be asked, and not what was trained.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from math import exp
from typing import Protocol

from decoding import critique
from decoding.critique import PARTIAL, USEFULNESS, Probabilities
from decoding.engine import Codec, Engine
from decoding.passages import Passage
from decoding.reflection import Reflection
from decoding.types import Grammar, Sampling

Ask = Callable[[str], Sequence[int]]
"""A user's message as the model's template has it, up to where a turn without thinking begins."""

YES_OR_NO = {"Yes": 1.0, "No": 0.0}
SUPPORTED = {"Fully": 1.0, "Partially": PARTIAL, "No": 0.0}
GRADES = {str(grade): worth for grade, worth in enumerate(USEFULNESS, 1)}

NEEDS = """{question}
{so_far}
Is something to be looked up before {next}? Answer Yes or No."""
RELEVANCE = """Question: {question}
<passage>
{passage}
</passage>
Does the passage help to answer the question? Answer Yes or No."""
SUPPORT = """<passage>
{passage}
</passage>
Statement: {statement}
Does the passage say what the statement says? Answer Fully, Partially or No."""
UTILITY = """Question: {question}
Answer: {answer}
How useful is the answer, from 1 to 5? Answer with the number."""


class Critic(Protocol):
    """Each judgement is a number, or None where the model says none of what could be said."""

    async def relevance(self, question: str, passage: Passage) -> float | None:
        """From 0 to 1."""
        ...

    async def support(self, question: str, passage: Passage, statement: str) -> float | None:
        """From 0 to 1."""
        ...


CriticOf = Callable[[Engine, Sampling], Critic]


@dataclass(frozen=True, slots=True)
class Asked:
    """A critic that is asked. context: tokens that it reads at most; what asks for more is not
    asked, and has no answer. clean: of what the model wrote, which it reads again."""

    engine: Engine
    codec: Codec
    ask: Ask
    sampling: Sampling
    context: int
    places: asyncio.Semaphore
    clean: Callable[[str], str]

    async def needs_passage(self, question: str, answer: str) -> float | None:
        """Whether something is to be looked up before the answer goes on; from 0 to 1."""
        so_far = f"So far: {self.clean(answer)}" if answer else ""
        text = NEEDS.format(
            question=question, so_far=so_far, next="going on" if answer else "answering"
        )
        return await self._judged(text, YES_OR_NO)

    async def relevance(self, question: str, passage: Passage) -> float | None:
        text = RELEVANCE.format(question=question, passage=passage.whole)
        return await self._judged(text, YES_OR_NO)

    async def support(self, question: str, passage: Passage, statement: str) -> float | None:
        text = SUPPORT.format(passage=passage.whole, statement=self.clean(statement))
        return await self._judged(text, SUPPORTED)

    async def utility(self, question: str, answer: str) -> float | None:
        """From -1 to 1."""
        text = UTILITY.format(question=question, answer=self.clean(answer))
        return await self._judged(text, GRADES)

    async def _judged(self, text: str, worths: Mapping[str, float]) -> float | None:
        tokens = first_tokens(self.codec, worths)
        # An engine may tell the likeliest tokens alone: the one that is drawn is always told.
        bound = Grammar("choice", json.dumps(list(worths)))
        async with self.places:
            prompt = self.ask(text)
            if len(prompt) >= self.context:
                return None
            told = tuple(tokens)
            found = await first_probabilities(self.engine, prompt, self.sampling, told, bound)
        return critique.share(found, tokens)


@dataclass(frozen=True, slots=True)
class Reflecting:
    """A critic by reflection tokens: it reads a passage as it would while it answers."""

    engine: Engine
    codec: Codec
    ask: Ask
    sampling: Sampling
    context: int
    places: asyncio.Semaphore
    clean: Callable[[str], str]
    tokens: Reflection

    async def relevance(self, question: str, passage: Passage) -> float | None:
        return critique.relevance(await self._said(question, passage, ()), self.tokens)

    async def support(self, question: str, passage: Passage, statement: str) -> float | None:
        said = (self.tokens.relevant, *self.codec.encode(f"{self.clean(statement)} "))
        return critique.support(await self._said(question, passage, said), self.tokens)

    async def _said(self, question: str, passage: Passage, after: Sequence[int]) -> Probabilities:
        async with self.places:
            read = read_in(passage, self.tokens, self.codec)
            prompt = (*self.ask(question), *read, *after)
            if len(prompt) >= self.context:
                return {}
            return await first_probabilities(self.engine, prompt, self.sampling, self.tokens.told)


def read_in(passage: Passage, tokens: Reflection, codec: Codec) -> tuple[int, ...]:
    """A passage as a model of Self-RAG's kind reads it."""
    text = codec.encode(passage.whole)
    return (tokens.retrieval, tokens.paragraph, *text, tokens.end_of_paragraph)


async def first_probabilities(
    engine: Engine,
    prompt: Sequence[int],
    sampling: Sampling,
    told: tuple[int, ...],
    grammar: Grammar | None = None,
) -> Probabilities:
    """Of these tokens, where the model goes on from the prompt. grammar: of the one it draws."""
    asked = replace(
        sampling,
        max_tokens=1,
        temperature=0.0,
        told_ids=told,
        ignore_eos=True,
        aside=True,
        stop=(),
        grammar=grammar,
        logprobs=None,
    )
    found: dict[int, float] = {}
    async with aclosing(engine.generate(prompt, asked)) as chunks:
        async for chunk in chunks:
            for each in chunk.told[:1]:
                found = {token: exp(logprob) for token, logprob in each.items()}
    return found


def first_tokens(codec: Codec, worths: Mapping[str, float]) -> dict[int, float]:
    """By the tokens that begin these answers, their worths; one that begins several says nothing.

    As they stand after a line's end: some tokenizers begin a text with a space.
    """
    before = codec.encode("\n")
    found: dict[int, set[float]] = {}
    for word, worth in worths.items():
        ids = codec.encode(f"\n{word}")
        first = ids[len(before)] if ids[: len(before)] == before else codec.encode(word)[0]
        found.setdefault(first, set()).add(worth)
    return {token: each.pop() for token, each in found.items() if len(each) == 1}
