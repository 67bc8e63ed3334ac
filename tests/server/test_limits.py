"""So many requests a minute for a key, and so many at once."""

import pytest

from server.caller import ANYBODY, Caller
from server.errors import RateLimited, TooManyAtOnce
from server.limits import Limits
from tests.server.clock import Clock


def served(limits: Limits, caller: Caller, times: int = 1) -> int:
    """How many requests, one after the other, are not refused."""
    done = 0
    for _ in range(times):
        try:
            with limits.request(caller):
                done += 1
        except RateLimited:
            pass
    return done


def test_a_minutes_requests_come_back_evenly() -> None:
    clock = Clock()
    limits, caller = Limits(clock), Caller("key", requests_per_minute=6)
    assert served(limits, caller, 10) == 6
    clock.now += 9.9
    assert served(limits, caller) == 0
    clock.now += 0.2
    assert served(limits, caller, 2) == 1
    clock.now += 1000
    assert served(limits, caller, 10) == 6


def test_a_refusal_says_when_to_come_again() -> None:
    clock = Clock()
    limits, caller = Limits(clock), Caller("key", requests_per_minute=6)
    served(limits, caller, 6)
    clock.now += 2.5
    with pytest.raises(RateLimited, match="6 requests a minute; try again in 8 s") as refused:
        limits.request(caller).__enter__()
    assert refused.value.headers == {"Retry-After": "8"}
    clock.now += 7.5
    assert served(limits, caller) == 1


def test_what_is_left_is_said_as_openai_does() -> None:
    clock = Clock()
    limits, caller = Limits(clock), Caller("key", requests_per_minute=120)
    served(limits, caller, 3)
    clock.now += 0.25
    assert limits.headers(caller) == {
        "x-ratelimit-limit-requests": "120",
        "x-ratelimit-remaining-requests": "117",
        "x-ratelimit-reset-requests": "1.25s",
    }
    assert limits.headers(ANYBODY) == {}


def test_keys_do_not_share_their_limits() -> None:
    limits = Limits(Clock())
    one, other = (Caller(name, requests_per_minute=1, concurrency=1) for name in ("one", "other"))
    with limits.request(one), limits.request(other), limits.request(ANYBODY):
        pass
    assert served(limits, one) == served(limits, other) == 0
    assert served(limits, ANYBODY, 100) == 100


def test_a_limit_that_has_changed_holds_from_the_next_request() -> None:
    limits = Limits(Clock())
    assert served(limits, Caller("key", requests_per_minute=2), 9) == 2
    assert served(limits, Caller("key", requests_per_minute=5), 9) == 5
    assert served(limits, Caller("key"), 9) == 9


def test_so_many_at_once() -> None:
    limits, caller = Limits(Clock()), Caller("key", requests_per_minute=3, concurrency=2)
    with limits.request(caller):
        with limits.request(caller):
            with pytest.raises(TooManyAtOnce, match="2 requests at once") as refused:
                limits.request(caller).__enter__()
            assert refused.value.headers == {"Retry-After": "1"}
        # The one that was refused for being too many took nothing of the minute's requests.
        with limits.request(caller):
            pass
    assert served(limits, caller) == 0
