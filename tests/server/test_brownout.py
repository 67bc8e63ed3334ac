"""Less thinking for all before anybody is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding.controls import RejectionControl, TokenControl
from decoding.policies import AdaptiveConfig, BudgetConfig, Disabled
from server.brownout import Brownout

PRESSURE = st.floats(0, 1)
HALF = Brownout(0.5, floor=100)


def test_the_ceiling_sinks_on_a_straight_line() -> None:
    ceilings = [HALF.ceiling(pressure, 1100) for pressure in (0, 0.5, 0.625, 0.75, 1)]
    assert ceilings == [1100, 1100, 850, 600, 100]


@given(begins=st.floats(0, 0.99), floor=st.integers(0, 999), most=st.integers(0, 9999), p=PRESSURE)
def test_it_is_never_over_the_most_nor_under_the_floor(
    begins: float, floor: int, most: int, p: float
) -> None:
    brownout = Brownout(begins, floor)
    assert min(floor, most) <= brownout.ceiling(p, most) <= most
    assert brownout.ceiling(1, most) == min(floor, most)
    assert brownout.ceiling(begins, most) == most


@given(most=st.integers(0, 9999), one=PRESSURE, other=PRESSURE)
def test_more_pressure_never_means_more_thinking(most: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert HALF.ceiling(high, most) <= HALF.ceiling(low, most)


@given(p=PRESSURE, most=st.integers(0, 9999))
def test_off_it_changes_nothing(p: float, most: int) -> None:
    assert Brownout(None, floor=0).reduced(BudgetConfig(), None, p, most) == (BudgetConfig(), None)


def test_what_is_over_the_ceiling_comes_under_it() -> None:
    assert HALF.reduced(BudgetConfig(), None, 0.75, 1100) == (BudgetConfig(600), 1100)
    assert HALF.reduced(BudgetConfig(900), None, 0.75, 1100) == (BudgetConfig(600), 900)
    adaptive = AdaptiveConfig(BudgetConfig(900), probe_every=8)
    lower = AdaptiveConfig(BudgetConfig(600), probe_every=8)
    assert HALF.reduced(adaptive, None, 0.75, 1100) == (lower, 900)


def test_what_is_under_it_stays() -> None:
    for config in (BudgetConfig(600), BudgetConfig(0), Disabled()):
        assert HALF.reduced(config, None, 0.75, 1100) == (config, None)


@pytest.mark.parametrize(
    ("config", "least"),
    [
        (BudgetConfig(min_tokens=700), 700),
        (BudgetConfig(soft_window=650), 650),
        (BudgetConfig(end_text="ö" * 400), 800),
    ],
)
def test_nothing_else_of_a_request_becomes_impossible(config: BudgetConfig, least: int) -> None:
    lower, _ = HALF.reduced(config, None, 1, 1100)
    assert isinstance(lower, BudgetConfig)
    assert lower.budget_tokens == least


def test_a_limit_to_reject_by_is_left_alone() -> None:
    config = BudgetConfig()
    assert HALF.reduced(config, RejectionControl(800, 2), 1, 1100) == (config, None)
    assert HALF.reduced(config, TokenControl(800), 1, 1100) == (BudgetConfig(100), 1100)
