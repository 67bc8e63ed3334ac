"""Probabilities of reflection tokens as scores: the formulas of Self-RAG (arXiv 2310.11511, 3.3).

Each is of the probabilities at one position, and of the tokens of its kind alone; None where none
of these has any, which is no score of zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from decoding.reflection import Reflection

Probabilities = Mapping[int, float]
"""By token, at one position. A token that is not told has none."""

USEFULNESS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of the five grades."""

PARTIAL = 0.5
"""What a segment that is partially supported counts."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the critique beside the segment's own probability."""

    relevance: float = 1.0
    support: float = 1.0
    utility: float = 0.5


@dataclass(frozen=True, slots=True)
class Critique:
    """relevance, support: from 0 to 1; utility: from -1 to 1; None for what was not said."""

    relevance: float | None = None
    support: float | None = None
    utility: float | None = None


def retrieval(probabilities: Probabilities, tokens: Reflection) -> float | None:
    """p([Retrieval]) of the two decisions, in probabilities and not in their logarithms."""
    return share(probabilities, {tokens.retrieval: 1.0, tokens.no_retrieval: 0.0})


def relevance(probabilities: Probabilities, tokens: Reflection) -> float | None:
    return share(probabilities, {tokens.relevant: 1.0, tokens.irrelevant: 0.0})


def support(probabilities: Probabilities, tokens: Reflection) -> float | None:
    worth = {tokens.fully: 1.0, tokens.partially: PARTIAL, tokens.unsupported: 0.0}
    return share(probabilities, worth)


def utility(probabilities: Probabilities, tokens: Reflection) -> float | None:
    return share(probabilities, dict(zip(tokens.utilities, USEFULNESS, strict=True)))


def score(logprobs: Sequence[float], critique: Critique, weights: Weights) -> float:
    """Of a segment. logprobs: of its tokens, in nats; an empty one has probability 1."""
    mean = sum(logprobs) / len(logprobs) if logprobs else 0.0
    return (
        exp(mean)
        + weights.relevance * (critique.relevance or 0.0)
        + weights.support * (critique.support or 0.0)
        + weights.utility * (critique.utility or 0.0)
    )


def share(probabilities: Probabilities, worth: Mapping[int, float]) -> float | None:
    """The mean worth, weighed by probability."""
    total = sum(probabilities.get(token, 0.0) for token in worth)
    if total <= 0:
        return None
    return sum(probabilities.get(token, 0.0) * each for token, each in worth.items()) / total
