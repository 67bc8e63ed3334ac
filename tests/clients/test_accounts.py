"""Whether metrics and clients agree."""

from dataclasses import replace

import pytest

from clients.accounts import Tally, busy, unaccounted, uncounted
from clients.asking import CHAT, MESSAGES, asking
from clients.attempt import Fate, Outcome
from clients.exposition import Exposition

BEFORE = Exposition.parsed(
    f'bide_requests_total{{route="{CHAT}",status="200"}} 10\n'
    f'bide_requests_total{{route="{CHAT}",status="400"}} 1\n'
    'bide_requests_total{route="/metrics",status="200"} 5\n'
)


def outcome(fate: Fate, status: int | None, path: str = CHAT) -> Outcome:
    return Outcome(asking("x", path, {}), "r-1", fate, status)


def tally(*outcomes: Outcome) -> Tally:
    made = Tally()
    for each in outcomes:
        made.add(each)
    return made


SEEN = tally(
    *[outcome("answered", 200)] * 4,
    *[outcome("refused", 400)] * 2,
    *[outcome("left", None)] * 3,
    outcome("answered", 200, MESSAGES),
)


def after(answered: int = 5, refused: int = 2, late: int = 2, abandoned: int = 3) -> Exposition:
    """Of three that left, by default: one in its stream, two before there was any."""
    return Exposition.parsed(
        f'bide_requests_total{{route="{CHAT}",status="200"}} {10 + answered}\n'
        f'bide_requests_total{{route="{CHAT}",status="400"}} {1 + refused}\n'
        f'bide_requests_total{{route="{CHAT}",status="499"}} {late}\n'
        f'bide_requests_abandoned_total{{route="{CHAT}"}} {abandoned}\n'
        f'bide_requests_total{{route="{MESSAGES}",status="200"}} 1\n'
        'bide_requests_total{route="/metrics",status="200"} 9\n'
    )


@pytest.mark.parametrize(
    "seen",
    [
        after(),
        after(answered=7, late=0, abandoned=0),  # it was done with all before it saw them leave
        after(answered=4, late=3, abandoned=3),
    ],
)
def test_all_is_accounted_for(seen: Exposition) -> None:
    assert unaccounted(SEEN, BEFORE, seen) == []


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (after(answered=6), "4 answers and 3 clients that left, the metrics tell 8"),
        (after(answered=4), "4 answers and 3 clients that left, the metrics tell 6"),
        (after(refused=1), "2 responses of status 400, the metrics tell 1"),
        (after(abandoned=4), "3 clients left, the metrics tell 4 abandoned"),
        (after(abandoned=1), "3 clients left, the metrics tell 1 abandoned"),
    ],
)
def test_what_is_not_is_told(seen: Exposition, told: str) -> None:
    assert unaccounted(SEEN, BEFORE, seen) == [f"{CHAT}: {told}"]


def test_a_status_that_no_client_saw_is_told() -> None:
    more = Exposition.parsed(f'bide_requests_total{{route="{CHAT}",status="500"}} 1\n')
    both = Exposition((*after().samples, *more.samples))
    assert unaccounted(SEEN, BEFORE, both) == [
        f"{CHAT}: 0 responses of status 500, the metrics tell 1"
    ]


def test_a_request_without_a_response_is_accounted_nowhere() -> None:
    assert tally(outcome("failed", None)).responses == {}
    assert tally(outcome("failed", 500)).responses == {(CHAT, "500"): 1}


def tokens(prompt: int, reasoning: int, content: int, discarded: int = 9) -> Exposition:
    phases = {"prompt": prompt, "reasoning": reasoning, "content": content}
    text = "".join(
        f'bide_tokens_total{{phase="{phase}"}} {count}\n'
        for phase, count in {**phases, "discarded": discarded}.items()
    )
    return Exposition.parsed(text)


def test_tokens_are_counted_one_for_one() -> None:
    told = [replace(outcome("answered", 200), tokens=each) for each in ((5, 20), (6, 10))]
    before = tokens(100, 200, 300)
    assert uncounted(told, before, tokens(111, 218, 312)) == []
    assert uncounted(told, before, tokens(111, 218, 313)) == [
        "30 completion tokens in the usages, the metrics tell 31"
    ]
    assert uncounted(told, before, tokens(110, 218, 312)) == [
        "11 prompt tokens in the usages, the metrics tell 10"
    ]
    assert uncounted([outcome("answered", 200)], before, before) == ["1 answers without a usage"]


def test_only_the_scrape_itself_may_run() -> None:
    idle = "bide_programs_running 0.0\nbide_requests_in_flight 1.0\n"
    assert busy(Exposition.parsed(idle)) == []
    still = 'bide_requests_in_flight 3.0\nvllm:num_requests_running{engine="0"} 2.0\n'
    assert busy(Exposition.parsed(still)) == [
        "vllm:num_requests_running is 2",
        "bide_requests_in_flight is 2",
    ]
