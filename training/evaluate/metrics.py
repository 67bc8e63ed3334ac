"""s1's three figures for a method of test-time scaling (arXiv 2501.19393, section 3.2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a method: mean thinking tokens, accuracy in percent, the range asked for."""

    tokens: float
    accuracy: float
    least: float = 0.0
    most: float = math.inf


def control(points: Sequence[Point]) -> float:
    """Percentage of settings whose thinking was as long as asked for."""
    inside = sum(point.least <= point.tokens <= point.most for point in points)
    return 100 * inside / len(points)


def scaling(points: Sequence[Point]) -> float:
    """Accuracy points per doubling of thinking tokens, averaged over all pairs of settings.

    Computed so, the runs on AIME24 that the paper lists give the values it prints.
    """
    measured = sorted((p for p in points if p.tokens > 0), key=lambda p: p.tokens)
    slopes = [
        (after.accuracy - before.accuracy) / doublings
        for before, after in combinations(measured, 2)
        # Lengths may differ by so little that their logarithms are the same.
        if (doublings := math.log2(after.tokens) - math.log2(before.tokens)) > 0
    ]
    return sum(slopes) / len(slopes) if slopes else math.nan


def performance(points: Sequence[Point]) -> float:
    return max(point.accuracy for point in points)
