"""How many coins does Mia have? Facts that nobody knows without a passage that states them.

The numbers are drawn for each question, so that no weights can remember them. Beside what answers
the question there are passages on other people, and on other things of the same person.
"""

import random
from dataclasses import dataclass, replace

from training.world.problem import Phrasing, Problem, Split
from training.world.stories import NAMES, THINGS

FAMILY = "lookups"
SEEN = (
    "How many {things} does {name} have?",
    "{name} has how many {things}?",
    "Tell me how many {things} {name} has.",
)
UNSEEN = ("What is the number of {things} that {name} has?",)
BOTH = "How many {first} and how many {second} does {name} have?"
STATED = ("{name} has {count} {things}.", "There are {count} {things} in the box of {name}.")
VAGUE = "{name} has more than {count} {things}."
TWO_THINGS = 0.25
"""Of the questions."""


@dataclass(frozen=True, slots=True)
class Source:
    """A passage. counts: what it states of who is asked for, by thing; vague: that it states a
    bound, and not the number."""

    title: str
    text: str
    counts: dict[str, int]
    vague: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """things: that are asked for, one or two; sources: those that answer come first."""

    problem: Problem
    name: str
    things: tuple[str, ...]
    counts: dict[str, int]
    sources: tuple[Source, ...]


def draw(rng: random.Random, split: Split, phrasing: Phrasing = "seen") -> Lookup:
    while True:
        found = _draw(rng, phrasing)
        if found.problem.split == split:
            return found


def statement(name: str, things: str, count: int, *, vague: bool = False) -> str:
    """As an answer says it."""
    return (VAGUE if vague else STATED[0]).format(name=name, count=count, things=things)


def distractors(rng: random.Random, lookup: Lookup, count: int) -> list[Source]:
    """Each on somebody else, or on another thing of the same person."""
    found = []
    for _ in range(count):
        if rng.random() < 0.5:
            name = rng.choice([each for each in NAMES if each != lookup.name])
            things = rng.choice(lookup.things)
        else:
            name = lookup.name
            things = rng.choice([each for each in THINGS if each not in lookup.things])
        found.append(replace(_source(rng, name, {things: _count(rng)}), counts={}))
    return found


def vague(rng: random.Random, lookup: Lookup) -> Source:
    """On one thing that is asked for, by a bound."""
    things = rng.choice(lookup.things)
    bound = 10 * rng.randint(1, 20)
    text = statement(lookup.name, things, bound, vague=True)
    return Source(lookup.name, text, {things: bound}, vague=True)


def _draw(rng: random.Random, phrasing: Phrasing) -> Lookup:
    name = rng.choice(NAMES)
    things = tuple(rng.sample(THINGS, 2 if rng.random() < TWO_THINGS else 1))
    counts = {each: _count(rng) for each in things}
    if len(things) == 2:
        question = BOTH.format(first=things[0], second=things[1], name=name)
    else:
        template = rng.choice(SEEN if phrasing == "seen" else UNSEEN)
        question = template.format(things=things[0], name=name)
    answer = " and ".join(str(counts[each]) for each in things)
    facts = (name, things, tuple(counts.values()))
    problem = Problem(FAMILY, len(things), question, answer, facts)
    together = len(things) == 1 or rng.random() < 0.4
    stated = [counts] if together else [{each: counts[each]} for each in things]
    return Lookup(problem, name, things, counts, tuple(_source(rng, name, each) for each in stated))


def _source(rng: random.Random, name: str, counts: dict[str, int]) -> Source:
    sentences = [
        rng.choice(STATED).format(name=name, count=count, things=things)
        for things, count in counts.items()
    ]
    return Source(name, " ".join(sentences), dict(counts))


def _count(rng: random.Random) -> int:
    return rng.randint(2, 9) if rng.random() < 0.2 else rng.randint(10, 399)
