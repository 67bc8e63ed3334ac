"""Researched answers, after OpenScholar (arXiv 2411.14199): retrieve, rerank, write with citations,
take feedback, which may ask for more passages, revise, and verify each citation.

What differs from the authors' own code: passages have one number from first to last; feedback is
given with the passages in sight, in JSON that a grammar binds; a revision is taken where it stands
on its passages at least as well as the draft, and not by its length; and a citation that its
passage does not support is repaired or left out.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from decoding import scholar_prompts as prompts
from decoding.critic import Ask, CriticOf
from decoding.engine import Codec, Engine
from decoding.metering import Meter
from decoding.passages import Passage, RetrievalError, Retriever
from decoding.seeds import derived
from decoding.shelf import Shelf
from decoding.statements import Statement, statements, text_of
from decoding.together import together
from decoding.types import (
    Citation,
    Delta,
    Event,
    Final,
    Finish,
    Grammar,
    Grounding,
    Point,
    Sampling,
    Source,
    Stage,
    Step,
    Study,
    Usage,
)
from decoding.verifying import Supports, Verifier

FEEDBACK_TOKENS = 512
"""The most that feedback may say; what is not whole by then is none."""

NOTHING = Grounding(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ScholarConfig:
    """candidates: passages that a search finds; top_k: those of all found that are read, the most
    relevant. rounds: of feedback and revision; points: of feedback a round. threshold: support
    from which on a citation holds; checks: of citations, at most, of each text."""

    candidates: int = 20
    top_k: int = 8
    rounds: int = 1
    points: int = 3
    threshold: float = 0.5
    checks: int = 200


@dataclass(frozen=True, slots=True)
class Scholar:
    """The policy. ask, converse: a message by itself, and in the place of the last one of the
    conversation. question: what is searched for. context: tokens that the model reads at most."""

    config: ScholarConfig
    codec: Codec
    turn_ends: frozenset[int]
    retriever: Retriever
    question: str
    ask: Ask
    converse: Ask
    critic: CriticOf
    context: int

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        """A Step as each stage ends; content once its citations are verified."""
        research = Research(self, Meter(engine), len(prompt), sampling)
        async with aclosing(research.run()) as events:
            async for event in events:
                yield event


@dataclass(frozen=True, slots=True)
class Text:
    """What was written: whole, or up to where it was cut."""

    text: str
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """numbers: of the passages that it was written on."""

    statements: Sequence[Statement]
    is_whole: bool
    numbers: Sequence[int]
    supports: Supports = field(default_factory=dict)
    grounding: Grounding = NOTHING

    @property
    def text(self) -> str:
        return text_of(self.statements)


class Research:
    """One answer: what was found, and what has been made of it."""

    def __init__(self, of: Scholar, engine: Meter, prompt: int, sampling: Sampling) -> None:
        self._of, self._config, self._engine = of, of.config, engine
        self._prompt, self._sampling = prompt, sampling
        self._shelf = Shelf()
        self._critic = of.critic(engine, sampling)
        self._verifier = Verifier(
            *(self._critic, of.question, self._shelf),
            *(of.config.threshold, of.config.checks),
        )
        self._round = self._calls = self._counted = 0
        self._steps: list[Step] = []
        self._points: list[Point] = []
        self._citations: list[Citation] = []

    async def run(self) -> AsyncGenerator[Event, None]:
        """Raises RetrievalError where nothing at all could be searched."""
        found = self._shelf.add(await self._search(self._of.question))
        yield self._over("retrieve", len(found), "done" if found else "nothing found")
        yield await self._rerank(found)
        draft = await self._write("write", prompts.WRITE)
        yield self._steps[-1]
        draft = await self._checked(draft)
        yield self._steps[-1]
        while self._round < self._config.rounds and draft.is_whole:
            points = await self._feedback(draft)
            yield self._steps[-1]
            if not points:
                break
            self._round += 1
            async with aclosing(self._look_further(points)) as steps:
                async for step in steps:
                    yield step
            revised = await self._revised(draft, points)
            yield self._steps[-1]
            revised = await self._checked(revised)
            yield self._steps[-1]
            is_better = _is_better(revised, draft)
            self._points += [Point(*point, accepted=is_better) for point in points]
            draft = revised if is_better else draft
        final = await self._repaired(draft)
        yield self._steps[-1]
        deltas = list(self._content(final))
        for delta in deltas:
            yield delta
        yield self._final(draft, final, deltas)

    async def _search(self, query: str) -> Sequence[Passage]:
        return await self._of.retriever.search(query, self._config.candidates)

    async def _rerank(self, numbers: Sequence[int]) -> Step:
        """By how much each helps with the question; what the critic does not judge comes last."""
        question = self._of.question
        judged = await together(
            [self._critic.relevance(question, self._shelf[number]) for number in numbers]
        )
        for number, relevance in zip(numbers, judged, strict=True):
            self._shelf.judge(number, relevance)
        known = sum(each is not None for each in judged)
        return self._over("rerank", known, "done" if known == len(numbers) else "not all judged")

    async def _write(self, stage: Stage, template: str, **more: str) -> Draft:
        """On as many of the best passages as there is room for."""
        numbers = list(self._shelf.best(self._config.top_k))
        prompt = self._showing(numbers, template, self._of.converse, **more)
        written = await self._said(prompt, self._sampling.max_tokens)
        found = statements(written.text, set(numbers))
        draft = Draft(found, written.is_whole, tuple(numbers))
        outcome = ("done" if found else "empty") if written.is_whole else "cut"
        self._over(stage, len(found), outcome)
        return draft

    async def _checked(self, draft: Draft) -> Draft:
        supports = await self._verifier.checked(draft.statements)
        cited = sum(len(each.cited) for each in draft.statements)
        outcome = "done" if len(supports) == cited else "not all checked"
        self._over("verify", len(supports), outcome)
        grounding = self._verifier.grounding(draft.statements, supports)
        return replace(draft, supports=supports, grounding=grounding)

    async def _feedback(self, draft: Draft) -> Sequence[tuple[str, str]]:
        most = self._config.points
        numbers = list(self._shelf.best(self._config.top_k))
        shown = {"draft": draft.text, "most": str(most)}
        prompt = self._showing(numbers, prompts.FEEDBACK, self._of.ask, **shown)
        said = await self._said(prompt, FEEDBACK_TOKENS, prompts.grammar(most))
        points = prompts.read_feedback(said.text) if said.text else None
        if points is None:
            self._over("feedback", 0, "cut" if not said.is_whole else "not readable")
            return []
        found = [(comment, query) for comment, query in points[:most] if comment]
        self._over("feedback", len(found), "done")
        return found

    async def _look_further(self, points: Sequence[tuple[str, str]]) -> AsyncGenerator[Step, None]:
        """What the feedback asks for; where that cannot be searched, what is there has to do."""
        queries = list(dict.fromkeys(query for _, query in points if query))
        if not queries:
            return
        try:
            found = await together([self._search(query) for query in queries])
        except RetrievalError as error:
            yield self._over("retrieve", 0, f"failed: {error}")
            return
        new = self._shelf.add(passage for each in found for passage in each)
        yield self._over("retrieve", len(new), "done" if new else "nothing new")
        if new:
            yield await self._rerank(new)

    async def _revised(self, draft: Draft, points: Sequence[tuple[str, str]]) -> Draft:
        said = "\n".join(f"- {comment}" for comment, _ in points)
        return await self._write("revise", prompts.REVISE, draft=draft.text, points=said)

    async def _repaired(self, draft: Draft) -> Draft:
        found, supports = await self._verifier.repaired(
            draft.statements, draft.supports, draft.numbers
        )
        changed = sum(a != b for a, b in zip(draft.statements, found, strict=True))
        self._over("repair", changed, "done")
        grounding = self._verifier.grounding(found, supports)
        return replace(draft, statements=found, supports=supports, grounding=grounding)

    def _showing(self, numbers: list[int], template: str, ask: Ask, **more: str) -> Sequence[int]:
        """A prompt with these passages; the last of them are left off as long as there is no room
        for them and for what is to be written, and taken from `numbers`."""
        reserve = min(self._sampling.max_tokens, self._of.context // 2)
        while True:
            shown = prompts.passages(self._shelf.page(numbers))
            text = template.format(passages=shown, question=self._of.question, **more)
            prompt = ask(text)
            if not numbers or len(prompt) + reserve <= self._of.context:
                return prompt
            numbers.pop()

    async def _said(self, prompt: Sequence[int], most: int, grammar: Grammar | None = None) -> Text:
        room = min(most, self._of.context - len(prompt))
        if room < 1:
            return Text("", is_whole=False)
        ends = self._of.turn_ends
        sampling = replace(
            self._sampling,
            max_tokens=room,
            seed=derived(self._sampling.seed, "stage", self._calls),
            stop_token_ids=tuple(sorted(ends)),
            ignore_eos=True,
            stop=(),
            grammar=grammar,
            logprobs=None,
            aside=grammar is not None,
        )
        self._calls += 1
        ids: list[int] = []
        is_whole = False
        async with aclosing(self._engine.generate(prompt, sampling)) as chunks:
            async for chunk in chunks:
                ids += chunk.token_ids
                is_whole = is_whole or chunk.finish == "stop"
        return Text(self._of.codec.decode(ids).strip(), is_whole)

    def _over(self, stage: Stage, count: int, outcome: str) -> Step:
        generated = self._engine.generated - self._counted
        self._counted = self._engine.generated
        self._steps.append(Step(stage, self._round, outcome, count, generated))
        return self._steps[-1]

    def _content(self, answer: Draft) -> Iterator[Delta]:
        encode, at = self._of.codec.encode, 0
        for i, each in enumerate(answer.statements):
            words = f"{each.before}{each.text}" if i else each.text
            yield Delta("content", words, tuple(encode(words)))
            start, end = at + len(words) - len(each.text), at + len(words)
            if each.marks:
                yield Delta("content", each.marks, tuple(encode(each.marks)), injected=True)
            at = end + len(each.marks)
            self._citations += [
                Citation(
                    *(start, end, number, self._shelf[number].id),
                    *(self._shelf.relevance(number), answer.supports.get((i, number))),
                )
                for number in each.cited
            ]

    def _final(self, draft: Draft, final: Draft, deltas: Sequence[Delta]) -> Final:
        completion = tuple(token for each in deltas for token in each.token_ids)
        injected = sum(len(each.token_ids) for each in deltas if each.injected)
        generated = self._engine.generated
        usage = Usage(
            prompt=self._prompt,
            completion=len(completion),
            reasoning=0,
            injected=injected,
            generated=generated,
            discarded=generated + injected - len(completion),
        )
        sources = [
            Source(number, self._shelf[number].id, self._shelf[number].title, relevance)
            for number in self._shelf.numbers
            for relevance in [self._shelf.relevance(number)]
        ]
        study = Study(
            citations=tuple(self._citations),
            sources=tuple(sources),
            feedback=tuple(self._points),
            written=draft.grounding,
            final=final.grounding,
            steps=tuple(self._steps),
        )
        finish: Finish = "stop" if final.is_whole else "length"
        return Final(finish, usage, completion, study=study)


def _is_better(revised: Draft, draft: Draft) -> bool:
    """At least as well grounded, and whole."""
    if not revised.is_whole or not revised.statements:
        return False
    return _merit(revised.grounding) >= _merit(draft.grounding)


def _merit(grounding: Grounding) -> float:
    """The harmonic mean of precision and recall; 0 where nothing is cited."""
    precision, recall = grounding.precision or 0.0, grounding.recall or 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
