import pytest

from training.evaluate.intervals import paired_difference, wilson


def test_wilson_against_known_values() -> None:
    assert wilson(927, 1000) == pytest.approx((90.92, 94.16), abs=0.05)
    assert wilson(0, 10) == pytest.approx((0, 27.75), abs=0.05)


def test_a_paired_difference_has_its_mean_within_its_interval() -> None:
    before, after = [0.0] * 30 + [1.0] * 70, [0.0] * 20 + [1.0] * 80
    mean, low, high = paired_difference(before, after)
    assert mean == pytest.approx(10)
    assert 0 < low < mean < high < 20


def test_no_difference_is_none() -> None:
    assert paired_difference([1.0, 0.0], [1.0, 0.0]) == (0, 0, 0)
