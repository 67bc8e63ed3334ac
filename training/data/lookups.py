"""Look-ups as documents with reflection tokens: the generator data of Self-RAG, whose critic is
the world's own rules (arXiv 2310.11511, section 3.2, appendix A).

What a passage says is not learnt, its markers are: between two passages stands what the model
wrote, and that is learnt too.
"""

import random

from decoding.reflection import ReflectionNames
from training.tokenizer import END, prompt_text
from training.world.lookups import Lookup, Source, distractors, statement, vague
from training.world.problem import Problem
from training.world.trace import Piece

NAMES = ReflectionNames()
UNKNOWN, UNKNOWN_REST = "I do not know.", "I do not know the rest."
FORCED = 0.1
"""Of the look-ups have no passage, as where nothing is to be retrieved."""

REFLECTION_TOKENS = (
    *(NAMES.retrieval, NAMES.no_retrieval, NAMES.same_evidence, NAMES.relevant, NAMES.irrelevant),
    *(NAMES.fully, NAMES.partially, NAMES.unsupported, *NAMES.utilities),
    *(NAMES.paragraph, NAMES.end_of_paragraph),
)


def looked_up(lookup: Lookup, rng: random.Random) -> list[Piece]:
    """A conversation about a look-up: on what answers it, on what does not, or on nothing."""
    head = Piece(prompt_text(lookup.problem.question, thinking=False), learn=False)
    kind = rng.random()
    if kind < FORCED:
        return [head, Piece(NAMES.no_retrieval, learn=False), *_end(UNKNOWN, None, 1)]
    if kind < 0.45:
        (source,) = distractors(rng, lookup, 1)
        return [head, *_read(source, learn=True), *_unknown(UNKNOWN, 1)]
    if kind < 0.55:
        source = vague(rng, lookup)
        ((things, bound),) = source.counts.items()
        said = statement(lookup.name, things, bound, vague=True)
        return [
            head,
            *_read(source, learn=True),
            *_end(f"{NAMES.relevant}{said}", NAMES.partially, 3),
        ]
    return [head, *_answered(lookup, rng)]


def not_looked_up(problem: Problem) -> list[Piece]:
    """A conversation about what needs no passage."""
    return [
        Piece(prompt_text(problem.question, thinking=False), learn=False),
        Piece(f"{NAMES.no_retrieval}The answer is {problem.answer}.{NAMES.utilities[4]}{END}"),
    ]


def _answered(lookup: Lookup, rng: random.Random) -> list[Piece]:
    """On one passage that has it all, or on two of which each has a part, and sometimes on one."""
    sources = list(lookup.sources)
    rng.shuffle(sources)
    first, *rest = sources
    pieces = [*_read(first, learn=True), Piece(f"{NAMES.relevant}{_said(lookup, first)}")]
    if not rest:
        return [*pieces, *_end("", NAMES.fully, 5)]
    second = rest[0] if rng.random() < 0.6 else distractors(rng, lookup, 1)[0]
    pieces += [Piece(f" {NAMES.fully}"), *_read(second, learn=True)]
    if second.counts:
        return [*pieces, *_end(f"{NAMES.relevant}{_said(lookup, second)}", NAMES.fully, 5)]
    return [*pieces, *_unknown(UNKNOWN_REST, 2)]


def _said(lookup: Lookup, source: Source) -> str:
    stated = [each for each in lookup.things if each in source.counts]
    return " ".join(statement(lookup.name, each, source.counts[each]) for each in stated)


def _read(source: Source, *, learn: bool) -> list[Piece]:
    """learn: the decision to read it."""
    return [
        Piece(NAMES.retrieval, learn=learn),
        Piece(NAMES.paragraph),
        Piece(f"{source.title}\n{source.text}", learn=False),
        Piece(NAMES.end_of_paragraph),
    ]


def _unknown(said: str, utility: int) -> list[Piece]:
    return _end(f"{NAMES.irrelevant}{said}", NAMES.unsupported, utility)


def _end(said: str, support: str | None, utility: int) -> list[Piece]:
    critique = f" {support}" if support else ""
    return [Piece(f"{said}{critique}{NAMES.utilities[utility - 1]}{END}")]
