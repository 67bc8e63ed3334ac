import pytest

from training.schedule import linear, warmup_cosine


def test_warm_up_then_cosine() -> None:
    factors = [warmup_cosine(step, 100, warmup=0.1, final=0.2) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10] == max(factors) == 1
    assert factors[55] == pytest.approx(0.6)
    assert factors[100] == pytest.approx(0.2)


def test_the_anneal_is_a_straight_line_to_its_end() -> None:
    assert [linear(step, 4, final=0.0) for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]
