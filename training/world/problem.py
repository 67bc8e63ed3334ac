"""What a family of problems promises, and which problems are held out."""

import hashlib
import random
from dataclasses import dataclass
from typing import Literal, Protocol

Phrasing = Literal["seen", "unseen"]
Style = Literal["quick", "careful", "alternative"]

Split = Literal["train", "dev", "test"]

TEST_SHARE = 1 / 16
DEV_SHARE = 1 / 32


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with its answer.

    `facts` is all that decides the answer, and nothing of the wording: two wordings of one
    problem have the same facts and so fall on the same side of the split.
    """

    family: str
    level: int
    question: str
    answer: str
    facts: tuple[object, ...]

    @property
    def split(self) -> Split:
        """Decided by a hash of the facts, so that the splits are disjoint whatever the seeds.

        `test` is for reported results alone, `dev` for choosing between recipes.
        """
        digest = hashlib.sha256(f"{self.family}:{self.facts!r}".encode()).digest()
        position = int.from_bytes(digest[:4], "big") / 2**32
        if position < TEST_SHARE:
            return "test"
        return "dev" if position < TEST_SHARE + DEV_SHARE else "train"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One pass over a problem: the lines written down and what they lead to."""

    lines: tuple[str, ...]
    answer: str


class Pen:
    """Writes results down, and at the planted rate writes a wrong one.

    rate: probability of at least about one slip in a pass; steps: results in the pass.
    """

    def __init__(self, rng: random.Random, rate: float, steps: int = 1) -> None:
        self.rng = rng
        self.rate = rate
        self._each = rate / max(1, steps)

    def slips(self) -> bool:
        return self.rng.random() < self._each

    def number(self, value: int) -> int:
        if not self.slips():
            return value
        return max(0, value + self.rng.choice((-10, -2, -1, 1, 2, 10)))


class Family(Protocol):
    """One kind of problem. `levels` are trained on; `longer` ones are held out."""

    name: str
    levels: range
    longer: range

    def draw(self, rng: random.Random, level: int, phrasing: Phrasing) -> Problem: ...

    def attempt(self, problem: Problem, rng: random.Random, style: Style, slip: float) -> Attempt:
        """Work through `problem`; `slip` is the probability of a planted mistake."""
        ...

    def announce(self, style: Style) -> tuple[str, ...]:
        """Ways to say how a pass is about to go."""
        ...
