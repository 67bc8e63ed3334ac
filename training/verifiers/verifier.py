"""What a verifier is."""

from dataclasses import dataclass
from typing import Protocol


class UnknownVerifier(ValueError):
    """There is no verifier, or no constraint, of that name: never a reward of 0."""


class BadLabel(ValueError):
    """A label that its verifier cannot read; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """score: from 0 to 1."""

    score: float
    reason: str


class Verifier(Protocol):
    def verify(self, completion: str, label: str) -> Verdict:
        """completion: the answer, without its thought. Raises BadLabel."""
        ...


def judged(right: bool, reason: str) -> Verdict:
    return Verdict(float(right), reason)
