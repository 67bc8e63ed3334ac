"""How many coins does Mia have? Facts that nobody knows without a passage that states them.

The numbers are drawn for each question, so that no weights can remember them. Beside what answers
the question there are passages on other people and other things, some that ask the same and do not
answer, and some that state a bound alone.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from training.world.problem import Phrasing, Problem, Split
from training.world.stories import NAMES, THINGS

FAMILY = "lookups"
SEEN = (
    "How many {things} does {name} have?",
    "Tell me how many {things} {name} has.",
    "How many of the {things} does {name} have?",
)
UNSEEN = ("What is the number of {things} that {name} has?",)
BOTH = "How many {first} and how many {second} does {name} have?"
STATED = ("Of the {things}, {name} has {count}.", "The {things} of {name} are {count}.")
BOUND = "Of the {things}, {name} has {count} or more."
ASKED = "How many {things} does {name} have? It is not given here."
TITLE = "On {name}"

TWO_THINGS = 0.25
"""Of the questions."""
TOGETHER = 0.4
"""Of those: both are stated in one passage."""
ASIDE = 0.3
"""Of the passages state something else too."""
OTHERS = {"name": 0.35, "things": 0.35, "both": 0.18, "asks": 0.12}
"""What is other in passages that do not answer; the last kind asks the same question."""

Says = Literal["number", "bound", "nothing"]


@dataclass(frozen=True, slots=True)
class Source:
    """A passage. says: of what is asked for, which is in `counts`, by thing."""

    title: str
    text: str
    says: Says
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Lookup:
    """things: that are asked for, one or two; sources: those that answer come first."""

    problem: Problem
    name: str
    things: tuple[str, ...]
    counts: Mapping[str, int]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """count: None for one that is not stated."""

    name: str
    things: str
    count: int | None


def draw(
    rng: random.Random,
    split: Split,
    phrasing: Phrasing = "seen",
    two_things: float = TWO_THINGS,
) -> Lookup:
    """two_things: share of the questions that ask for two."""
    while True:
        found = _draw(rng, phrasing, two_things)
        if found.problem.split == split:
            return found


def statement(name: str, things: str, count: int, *, bound: bool = False) -> str:
    """As an answer says it."""
    return (BOUND if bound else STATED[0]).format(name=name, count=count, things=things)


def distractors(rng: random.Random, lookup: Lookup, count: int) -> list[Source]:
    """None of them says anything of what is asked for."""
    return [_distractor(rng, lookup) for _ in range(count)]


def bound(rng: random.Random, lookup: Lookup) -> Source:
    """On one thing that is asked for, which it does not number."""
    things = rng.choice(lookup.things)
    least = 10 * rng.randint(1, 20)
    text = statement(lookup.name, things, least, bound=True)
    return Source(TITLE.format(name=lookup.name), text, "bound", {things: least})


def ledger(rng: random.Random, facts: int, questions: int) -> tuple[list[Fact], list[Fact]]:
    """Facts, and as many questions on them, about half of which they do not answer.

    They are alike: most share a name or a thing with another one.
    """
    stated: dict[tuple[str, str], int] = {}
    while len(stated) < facts:
        key = _near(rng, list(stated)) if stated and rng.random() < 0.7 else _key(rng)
        count = _count(rng)
        if _problem(key[0], {key[1]: count}, "").split == "train":
            stated.setdefault(key, count)
    asked = []
    for _ in range(questions):
        key = rng.choice(list(stated)) if rng.random() < 0.5 else _near(rng, list(stated))
        asked.append(Fact(*key, stated.get(key)))
    return [Fact(*key, count) for key, count in stated.items()], asked


def _draw(rng: random.Random, phrasing: Phrasing, two_things: float) -> Lookup:
    name = rng.choice(NAMES)
    things = tuple(rng.sample(THINGS, 2 if rng.random() < two_things else 1))
    counts = {each: _count(rng) for each in things}
    if len(things) == 2:
        question = BOTH.format(first=things[0], second=things[1], name=name)
    else:
        template = rng.choice(SEEN if phrasing == "seen" else UNSEEN)
        question = template.format(things=things[0], name=name)
    together = len(things) == 1 or rng.random() < TOGETHER
    stated = [counts] if together else [{each: counts[each]} for each in things]
    sources = [_source(rng, name, each, "number", (name, things)) for each in stated]
    return Lookup(_problem(name, counts, question), name, things, counts, tuple(sources))


def _problem(name: str, counts: Mapping[str, int], question: str) -> Problem:
    answer = " and ".join(str(each) for each in counts.values())
    facts = (name, tuple(counts), tuple(counts.values()))
    return Problem(FAMILY, len(counts), question, answer, facts)


def _distractor(rng: random.Random, lookup: Lookup) -> Source:
    (other,) = rng.choices(list(OTHERS), list(OTHERS.values()))
    if other == "asks":
        text = ASKED.format(name=lookup.name, things=rng.choice(lookup.things))
        return Source(TITLE.format(name=lookup.name), text, "nothing", {})
    name, things = lookup.name, rng.choice(lookup.things)
    if other in ("name", "both"):
        name = rng.choice([each for each in NAMES if each != lookup.name])
    if other in ("things", "both"):
        things = rng.choice([each for each in THINGS if each not in lookup.things])
    return _source(rng, name, {things: _count(rng)}, "nothing", (lookup.name, lookup.things))


def _source(
    rng: random.Random,
    name: str,
    counts: Mapping[str, int],
    says: Says,
    asked: tuple[str, Sequence[str]],
) -> Source:
    """asked: whose things are asked for, and which: a statement aside is on none of them."""
    stated = [(name, things, count) for things, count in counts.items()]
    while rng.random() < ASIDE and len(stated) == len(counts):
        aside = _key(rng)
        if aside[0] != asked[0] or aside[1] not in asked[1]:
            stated.insert(rng.randint(0, len(stated)), (*aside, _count(rng)))
    text = " ".join(
        rng.choice(STATED).format(name=name, count=count, things=things)
        for name, things, count in stated
    )
    return Source(TITLE.format(name=name), text, says, dict(counts) if says == "number" else {})


def _near(rng: random.Random, keys: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Of one of these, the name or the thing."""
    name, things = rng.choice(keys)
    return (name, rng.choice(THINGS)) if rng.random() < 0.5 else (rng.choice(NAMES), things)


def _key(rng: random.Random) -> tuple[str, str]:
    return rng.choice(NAMES), rng.choice(THINGS)


def _count(rng: random.Random) -> int:
    return rng.randint(2, 9) if rng.random() < 0.2 else rng.randint(10, 399)
