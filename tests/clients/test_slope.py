"""Slopes of known series, and how often their intervals are right."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.slope import correlation, slope, student

XS = list(range(100))
NUMBERS = st.floats(-1e3, 1e3)


@given(NUMBERS, NUMBERS, st.integers(3, 50))
def test_a_line_has_its_own_slope(value: float, start: float, count: int) -> None:
    found = slope(range(count), [start + value * x for x in range(count)])
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.low <= found.value <= found.high
    assert found.high - found.low == pytest.approx(0, abs=1e-5)


@given(st.lists(NUMBERS, min_size=3, max_size=50), NUMBERS)
def test_a_slope_added_is_a_slope_found(ys: list[float], value: float) -> None:
    flat, tilted = (
        slope(range(len(ys)), [y + each * x for x, y in enumerate(ys)]) for each in (0, value)
    )
    assert tilted.value - flat.value == pytest.approx(value, abs=1e-6)
    assert tilted.high - tilted.low == pytest.approx(flat.high - flat.low, abs=1e-3)


def covered(alike: float) -> float:
    """The share of intervals that have the true slope, 0, in them."""
    rng, hits = random.Random(1), 0
    for _ in range(400):
        error, ys = 0.0, []
        for _ in XS:
            error = alike * error + rng.gauss(0, 1)
            ys.append(error)
        found = slope(XS, ys)
        hits += found.low <= 0 <= found.high
    return hits / 400


@pytest.mark.parametrize(("alike", "least"), [(0.0, 0.91), (0.5, 0.88), (0.8, 0.8)])
def test_intervals_are_right_about_as_often_as_they_say(alike: float, least: float) -> None:
    assert least < covered(alike) <= 0.995


def test_growth_under_noise_is_found() -> None:
    rng = random.Random(2)
    found = slope(XS, [0.1 * x + rng.gauss(0, 1) for x in XS])
    assert 0 < found.low < 0.1 < found.high


def test_no_slope_of_nothing() -> None:
    for xs, ys in (((1, 2), (1, 2)), ((1, 1, 1), (1, 2, 3))):
        with pytest.raises(ValueError):
            slope(xs, ys)


def test_other_units() -> None:
    found = slope(XS, [2.0 * x for x in XS]).times(3600)
    assert found.value == pytest.approx(7200)


def test_neighbours_that_differ_make_no_surer() -> None:
    assert correlation([1.0, -1.0] * 10) == 0
    assert correlation([0.0] * 5) == 0
    assert correlation([1.0] * 100) == pytest.approx(0.99)


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.776), (10, 2.228), (94, 1.986)])
def test_students_quantiles(freedom: float, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=0.01)
