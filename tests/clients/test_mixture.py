"""What a soak asks."""

import json
from collections import Counter
from itertools import islice

from clients.asking import CHAT
from clients.malformed import KINDS as MALFORMED
from clients.mixture import KINDS, counted, mixture

ASKED = list(islice(mixture("m", 7), 4000))


def test_every_kind_is_asked_for_streamed_and_whole() -> None:
    kinds = {asked.kind for asked in ASKED}
    assert kinds == KINDS.keys() | MALFORMED.keys()
    for kind in KINDS:
        assert {asked.stream for asked in ASKED if asked.kind == kind} == {False, True}


def test_one_in_twenty_is_malformed_and_one_in_eight_impatient() -> None:
    fates = Counter(
        "malformed" if asked.status != 200 else "left" if asked.patience is not None else "sound"
        for asked in ASKED
    )
    assert 150 < fates["malformed"] < 250
    assert 440 < fates["left"] < 600


def test_a_seed_asks_the_same_again() -> None:
    assert list(islice(mixture("m", 7), 200)) == ASKED[:200]
    assert list(islice(mixture("m", 8), 200)) != ASKED[:200]


def test_bodies_are_json_where_they_should_be() -> None:
    for asked in ASKED[:1000]:
        if asked.kind in ("not JSON", "oversized"):
            continue
        body = json.loads(asked.content)
        assert (body["model"] == "m") == (asked.kind != "unknown model")
        assert bool(body.get("stream")) == asked.stream


def test_what_is_counted_is_whole_and_casts_no_votes() -> None:
    asked = counted("m", 1, 45)
    assert {each.kind for each in asked} == KINDS.keys() - {"votes"}
    assert all(each.patience is None and each.status == 200 for each in asked)


def test_routes_are_those_of_the_metrics() -> None:
    assert {asked.route for asked in ASKED if asked.kind == "unknown path"} == {"unknown"}
    assert {asked.route for asked in ASKED if asked.kind == "votes"} == {CHAT}
