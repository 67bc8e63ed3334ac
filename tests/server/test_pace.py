"""How long whoever is refused should wait."""

import pytest

from server.pace import LONGEST, Pace
from tests.server.clock import Clock


def test_nothing_is_known_at_first() -> None:
    assert Pace(Clock()).retry_after(100) == 1


def test_it_is_the_rate_at_which_requests_left() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(50):
        clock.now += 0.5
        pace.step(arrived=0)
    assert pace.retry_after(20) == pytest.approx(10, abs=1)
    assert (pace.retry_after(0), pace.retry_after(10_000)) == (1, LONGEST)


def test_many_at_once_are_as_fast_as_one_by_one() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(5):
        clock.now += 4
        for _ in range(8):
            pace.step(arrived=0)
    assert pace.retry_after(20) == pytest.approx(10, abs=2)


def test_time_in_which_nobody_waited_does_not_count() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(10):
        clock.now += 1000
        arrived = clock.now
        clock.now += 2
        pace.step(arrived)
    assert pace.retry_after(5) == 10


def test_what_was_long_ago_is_forgotten() -> None:
    clock = Clock()
    pace = Pace(clock)
    for seconds, times in ((0.01, 1000), (5, 60)):
        for _ in range(times):
            clock.now += seconds
            pace.step(arrived=0)
    assert pace.retry_after(4) == 20
