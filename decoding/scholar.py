"""Researched answers, after OpenScholar (arXiv 2411.14199): retrieve, rerank, write with citations,
take feedback, which may ask for more passages, revise, and verify each citation.

What differs from the authors' own code: passages have one number from first to last; feedback is
given with the passages in sight, in JSON that a grammar binds; a revision is taken where it stands
on its passages at least as well as the draft, and not by its length; and a citation that its
passage does not support is repaired or left out.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from decoding import scholar_prompts as prompts
from decoding.critic import Ask, CriticOf
from decoding.engine import Codec, Engine
from decoding.metering import Meter
from decoding.passages import Neutralizer, Passage, RetrievalError, Retriever
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
    from which on a citation holds (0.5 is what partial support is worth); checks: of citations, at
    most, of each text."""

    candidates: int = 20
    top_k: int = 8
    rounds: int = 1
    points: int = 3
    threshold: float = 0.5
    checks: int = 200


@dataclass(frozen=True, slots=True)
class Scholar:
    """The policy. ask, converse: a message by itself, and in the place of the last one of the
    conversation. question: what is searched for. context: tokens that the model reads at most.
    neutralizer: of passages, and of what the model wrote where it reads that again."""

    config: ScholarConfig
    codec: Codec
    turn_ends: frozenset[int]
    retriever: Retriever
    question: str
    ask: Ask
    converse: Ask
    critic: CriticOf
    context: int
    neutralizer: Neutralizer

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
    """What was written: whole, or up to where it was cut. tokens: that were drawn for it."""

    text: str
    tokens: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """tokens: that were drawn for it; numbers: of the passages that it was written on."""

    statements: Sequence[Statement]
    tokens: int
    is_whole: bool
    numbers: Sequence[int]
    supports: Supports = field(default_factory=dict)
    grounding: Grounding = NOTHING

    @property
    def text(self) -> str:
        return text_of(self.statements)


class Research:
    """One answer: what was found, and what has been made of it.

    Each stage returns what came of it and notes a Step, which `run` says.
    """

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

    async def run(self) -> AsyncGenerator[Event, None]:
        """Raises RetrievalError where nothing at all could be searched."""
        draft, said = EMPTY, 0
        async with aclosing(self._drafts()) as drafts:
            async for best in drafts:
                draft = best
                for step in self._steps[said:]:
                    yield step
                said = len(self._steps)
        final = await self._repaired(draft)
        yield self._steps[-1]
        deltas, citations = self._content(final)
        for delta in deltas:
            yield delta
        yield self._final(draft, final, deltas, citations)

    async def _drafts(self) -> AsyncGenerator[Draft, None]:
        """The best one so far, after each stage; the last is the answer."""
        found = self._shelf.add(await self._search(self._of.question))
        self._note("retrieve", len(found), "done" if found else "nothing found")
        yield EMPTY
        await self._rerank(found)
        yield EMPTY
        draft = await self._write("write", prompts.WRITE, ())
        yield draft
        draft = await self._checked(draft)
        yield draft
        while self._round < self._config.rounds and draft.is_whole and draft.statements:
            points = await self._feedback(draft)
            yield draft
            if not points:
                break
            self._round += 1
            await self._look_further(points)
            yield draft
            revised = await self._revised(draft, points)
            yield draft
            revised = await self._checked(revised)
            is_better = _is_better(revised, draft)
            self._points += [Point(*point, accepted=is_better) for point in points]
            draft = revised if is_better else draft
            yield draft

    async def _search(self, query: str) -> Sequence[Passage]:
        return await self._of.retriever.search(query, self._config.candidates)

    async def _rerank(self, numbers: Sequence[int]) -> None:
        """By how much each helps with the question; what the critic does not judge comes last."""
        question = self._of.question
        judged = await together(
            [self._critic.relevance(question, self._shelf[number]) for number in numbers]
        )
        for number, relevance in zip(numbers, judged, strict=True):
            self._shelf.judge(number, relevance)
        known = sum(each is not None for each in judged)
        self._note("rerank", known, "done" if known == len(numbers) else "not all judged")

    async def _write(self, stage: Stage, template: str, first: Sequence[int], **more: str) -> Draft:
        """first: the passages that are shown before the best of the others."""
        most = self._sampling.max_tokens
        prompt, numbers = self._showing(template, self._of.converse, most, first, **more)
        written = await self._said(prompt, most)
        found = statements(written.text, set(numbers))
        outcome = ("done" if found else "empty") if written.is_whole else "cut"
        self._note(stage, len(found), outcome)
        return Draft(found, written.tokens, written.is_whole, numbers)

    async def _checked(self, draft: Draft) -> Draft:
        supports = await self._verifier.checked(draft.statements)
        cited = sum(len(each.cited) for each in draft.statements)
        known = sum(each is not None for each in supports.values())
        self._note("verify", known, "done" if known == cited else "not all checked")
        grounding = self._verifier.grounding(draft.statements, supports)
        return replace(draft, supports=supports, grounding=grounding)

    async def _feedback(self, draft: Draft) -> Sequence[tuple[str, str]]:
        most = self._config.points
        clean = self._of.neutralizer.text
        shown = {"draft": clean(draft.text), "most": str(most)}
        ask, cited = self._of.ask, self._holding(draft)
        prompt, _ = self._showing(prompts.FEEDBACK, ask, FEEDBACK_TOKENS, cited, **shown)
        said = await self._said(prompt, FEEDBACK_TOKENS, prompts.grammar(most))
        points = prompts.read_feedback(said.text) if said.text else None
        if points is None:
            self._note("feedback", 0, "not readable" if said.is_whole else "cut")
            return []
        found = [(clean(comment), clean(query)) for comment, query in points[:most] if comment]
        self._note("feedback", len(found), "done")
        return found

    async def _look_further(self, points: Sequence[tuple[str, str]]) -> None:
        """For what the feedback asks; where that cannot be searched, what is there has to do."""
        found: list[int] = []
        failed: RetrievalError | None = None
        queries = list(dict.fromkeys(query for _, query in points if query))
        for query in queries:
            try:
                found += self._shelf.add(await self._search(query))
            except RetrievalError as error:
                failed = error
        if queries:
            outcome = f"failed: {failed}" if failed else "done" if found else "nothing new"
            self._note("retrieve", len(found), outcome)
        if found:
            await self._rerank(found)

    async def _revised(self, draft: Draft, points: Sequence[tuple[str, str]]) -> Draft:
        said = "\n".join(f"- {comment}" for comment, _ in points)
        more = {"draft": self._of.neutralizer.text(draft.text), "points": said}
        return await self._write("revise", prompts.REVISE, self._holding(draft), **more)

    def _holding(self, draft: Draft) -> list[int]:
        """The passages that a draft stands on: what replaces it is to see them too."""
        cited = {
            number: None
            for i, each in enumerate(draft.statements)
            for number in each.cited
            if self._verifier.holds(draft.supports, i, number)
        }
        return list(cited)

    async def _repaired(self, draft: Draft) -> Draft:
        verifier = self._verifier
        found, supports = await verifier.repaired(draft.statements, draft.supports, draft.numbers)
        changed = sum(a != b for a, b in zip(draft.statements, found, strict=True))
        self._note("repair", changed, "done")
        grounding = verifier.grounding(found, supports)
        return replace(draft, statements=found, supports=supports, grounding=grounding)

    def _showing(
        self, template: str, ask: Ask, reserve: int, first: Sequence[int], **more: str
    ) -> tuple[Sequence[int], list[int]]:
        """A prompt with passages, and their numbers: the best that there is room for beside what
        is to be written, at most half of the context."""
        room = self._of.context - min(reserve, self._of.context // 2)

        def prompt(numbers: Sequence[int]) -> Sequence[int]:
            shown = prompts.passages(self._shelf.page(numbers))
            return ask(template.format(passages=shown, question=self._of.question, **more))

        numbers: list[int] = []
        left = room - len(prompt(()))
        others = [each for each in self._shelf.best_first if each not in first]
        for number in [*first, *others]:
            cost = len(self._of.codec.encode(f"{self._shelf.page([number])}\n\n"))
            if cost <= left and len(numbers) < max(self._config.top_k, len(first)):
                numbers.append(number)
                left -= cost
        while numbers and len(prompt(numbers)) > room:  # the frame around them takes some, too
            numbers.pop()
        return prompt(numbers), numbers

    async def _said(self, prompt: Sequence[int], most: int, grammar: Grammar | None = None) -> Text:
        room = min(most, self._of.context - len(prompt))
        if room < 1:
            return Text("", 0, is_whole=False)
        sampling = replace(
            self._sampling,
            max_tokens=room,
            seed=derived(self._sampling.seed, "stage", self._calls),
            stop_token_ids=tuple(sorted(self._of.turn_ends)),
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
        controls = self._of.neutralizer.control_ids
        text = self._of.codec.decode([each for each in ids if each not in controls])
        return Text(text.strip(), len(ids), is_whole)

    def _note(self, stage: Stage, count: int, outcome: str) -> None:
        generated = self._engine.generated - self._counted
        self._counted = self._engine.generated
        self._steps.append(Step(stage, self._round, outcome, count, generated))

    def _content(self, answer: Draft) -> tuple[list[Delta], list[Citation]]:
        encode, at = self._of.codec.encode, 0
        deltas: list[Delta] = []
        citations: list[Citation] = []
        for i, each in enumerate(answer.statements):
            words = f"{each.before}{each.text}" if i else each.text
            deltas.append(Delta("content", words, tuple(encode(words))))
            if each.marks:
                ids = tuple(encode(each.marks))
                deltas.append(Delta("content", each.marks, ids, injected=True))
            end = at + len(words)
            start, at = end - len(each.text), end + len(each.marks)
            citations += [
                Citation(
                    *(start, end, number, self._shelf[number].id),
                    *(self._shelf.relevance(number), answer.supports.get((i, number))),
                )
                for number in each.cited
            ]
        return deltas, citations

    def _final(
        self, draft: Draft, final: Draft, deltas: Sequence[Delta], citations: Sequence[Citation]
    ) -> Final:
        completion = tuple(token for each in deltas for token in each.token_ids)
        words = sum(len(each.token_ids) for each in deltas if not each.injected)
        # Sentence by sentence, words may come to more tokens than were drawn for them.
        kept = min(words, draft.tokens)
        generated = self._engine.generated
        usage = Usage(
            prompt=self._prompt,
            completion=len(completion),
            reasoning=0,
            injected=len(completion) - kept,
            generated=generated,
            discarded=generated - kept,
        )
        study = Study(
            citations=tuple(citations),
            sources=tuple(self._source(number, final) for number in self._shelf.numbers),
            feedback=tuple(self._points),
            written=draft.grounding,
            final=final.grounding,
            steps=tuple(self._steps),
        )
        finish: Finish = "stop" if final.is_whole else "length"
        return Final(finish, usage, completion, study=study)

    def _source(self, number: int, final: Draft) -> Source:
        passage = self._shelf[number]
        relevance, is_read = self._shelf.relevance(number), number in final.numbers
        return Source(number, passage.id, passage.title, relevance, is_read)


EMPTY = Draft((), 0, is_whole=False, numbers=())


def _is_better(revised: Draft, draft: Draft) -> bool:
    """At least as well grounded, and whole."""
    if not revised.is_whole or not revised.statements:
        return False
    return _merit(revised.grounding) >= _merit(draft.grounding)


def _merit(grounding: Grounding) -> float:
    """The harmonic mean of precision and recall; 0 where nothing is cited."""
    precision, recall = grounding.precision or 0.0, grounding.recall or 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
