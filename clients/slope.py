"""A straight line through measurements, and how sure its slope is."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt

CONFIDENCE = 0.95
LEAST = 3
"""Points: through two any line fits."""


@dataclass(frozen=True, slots=True)
class Slope:
    """In units of y per unit of x; low and high bound its 95% interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Slope":
        """In other units. factor: above 0."""
        return Slope(self.value * factor, self.low * factor, self.high * factor)


def slope(xs: Sequence[float], ys: Sequence[float]) -> Slope:
    """By least squares. Raises ValueError for fewer than three points, or all of one x.

    Neighbours err alike where something grows and shrinks slowly, as memory does. The interval is
    wider for it: n points whose errors are correlated by r are worth n(1 - r)/(1 + r).
    """
    if len(xs) < LEAST:
        raise ValueError(f"{len(xs)} points, and a slope needs {LEAST}")
    middle = statistics.fmean(xs)
    spread = sum((x - middle) ** 2 for x in xs)
    if spread == 0:
        raise ValueError("all points have the same x")
    value, start = statistics.linear_regression(xs, ys)
    errors = [y - start - value * x for x, y in zip(xs, ys, strict=True)]
    squares = sum(error * error for error in errors)
    alike = correlation(errors)
    freedom = max(1.0, len(xs) * (1 - alike) / (1 + alike) - 2)
    # The slope's own uncertainty, if the points were as few as they are worth.
    margin = student(freedom) * sqrt(squares / (len(xs) - 2) / spread * (1 + alike) / (1 - alike))
    return Slope(value, value - margin, value + margin)


def correlation(errors: Sequence[float]) -> float:
    """Of each with the next, from 0 to 0.99; less than 0 would make one surer than it is."""
    squares = sum(error * error for error in errors)
    if squares == 0:
        return 0.0
    return min(0.99, max(0.0, sum(one * other for one, other in pairwise(errors)) / squares))


def student(freedom: float) -> float:
    """Two-sided quantile of Student's t, by Hill's expansion around the normal one's.

    Within 1% from four degrees of freedom on, and too small below.
    """
    z = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    if freedom == inf:
        return z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
