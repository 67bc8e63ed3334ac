"""Look-ups as documents with reflection tokens: the generator data of Self-RAG, whose critic is
the world's own rules (arXiv 2310.11511, section 3.2, appendix A).

What a passage says is not learnt, its markers are: between two passages stands what the model
wrote, and that is learnt too.
"""

import random

from decoding.reflection import ReflectionNames
from training.tokenizer import END, prompt_text
from training.world.lookups import STATED, Lookup, Source, bound, distractors, ledger, statement
from training.world.problem import Problem
from training.world.trace import Piece

NAMES = ReflectionNames()
UNKNOWN, UNKNOWN_REST = "The number is not given.", "The other number is not given."
NONE = "none"
FORCED = 0.08
"""Of the look-ups have no passage, as where nothing is to be retrieved."""
IN_VAIN = (0, 0, 1, 1, 2, 3)
"""Passages that do not answer, before one that does."""
GIVEN_UP = 0.35
"""After them."""
BOUND_ALONE = 0.15
"""Of the rest are answered by a bound, which is all that was found."""
REPEATED = 0.2
"""After half an answer, the passage that it is from comes again."""


def looked_up(lookup: Lookup, rng: random.Random) -> list[Piece]:
    """A conversation about a look-up: on what answers it, on what does not, or on nothing."""
    head = Piece(prompt_text(lookup.problem.question, thinking=False), learn=False)
    if rng.random() < FORCED:
        return [head, Piece(NAMES.no_retrieval, learn=False), *_end(UNKNOWN, None, 1)]
    in_vain = distractors(rng, lookup, rng.choice(IN_VAIN))
    tried = [piece for each in in_vain for piece in _tried(each)]
    if in_vain and rng.random() < GIVEN_UP:
        return [head, *tried, Piece(f"{NAMES.utilities[0]}{END}")]
    if rng.random() < BOUND_ALONE:
        source = bound(rng, lookup)
        ((things, least),) = source.counts.items()
        said = NAMES.relevant + statement(lookup.name, things, least, bound=True)
        return [head, *tried, *_read(source), *_end(said, NAMES.partially, 3)]
    return [head, *tried, *_answered(lookup, rng)]


def from_ledger(rng: random.Random) -> list[Piece]:
    """Facts, and then questions on them, each of whose answers has to be found among alike ones.

    No conversation, and no reflection tokens: it teaches to compare, which look-ups alone do not,
    as a document of theirs has one token that tells whether it was compared well.
    """
    stated, asked = ledger(rng, rng.randint(3, 5), rng.randint(4, 8))
    facts = " ".join(
        rng.choice(STATED).format(name=each.name, things=each.things, count=each.count)
        for each in stated
    )
    pieces = [Piece(f"{facts}\n", learn=False)]
    for each in asked:
        begun, _, _ = statement(each.name, each.things, 0).rpartition(" ")
        pieces += [Piece(begun, learn=False), Piece(f" {each.count or NONE}.")]
        pieces.append(Piece(" ", learn=False))
    return [*pieces[:-1], Piece(END)]


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
    pieces = [*_read(first), Piece(f"{NAMES.relevant}{_said(lookup, first)}")]
    if not rest:
        return [*pieces, *_end("", NAMES.fully, 5)]
    pieces += [Piece(f" {NAMES.fully}")]
    kind = rng.random()
    if kind < REPEATED:  # which has nothing more to say
        second = first
    elif kind < 0.7:
        second = rest[0]
    else:
        (second,) = distractors(rng, lookup, 1)
    pieces += _read(second)
    if second.counts and second is not first:
        return [*pieces, *_end(f"{NAMES.relevant}{_said(lookup, second)}", NAMES.fully, 5)]
    return [*pieces, *_end(f"{NAMES.irrelevant}{UNKNOWN_REST}", NAMES.unsupported, 2)]


def _said(lookup: Lookup, source: Source) -> str:
    stated = [each for each in lookup.things if each in source.counts]
    return " ".join(statement(lookup.name, each, source.counts[each]) for each in stated)


def _tried(source: Source) -> list[Piece]:
    """A passage in vain."""
    return [*_read(source), Piece(f"{NAMES.irrelevant}{UNKNOWN} {NAMES.unsupported}")]


def _read(source: Source) -> list[Piece]:
    return [
        Piece(f"{NAMES.retrieval}{NAMES.paragraph}"),
        Piece(f"{source.title}\n{source.text}", learn=False),
        Piece(NAMES.end_of_paragraph),
    ]


def _end(said: str, support: str | None, utility: int) -> list[Piece]:
    critique = f" {support}" if support else ""
    return [Piece(f"{said}{critique}{NAMES.utilities[utility - 1]}{END}")]
