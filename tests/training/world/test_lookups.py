"""Look-ups can be answered by their sources, and by no distractor."""

import random

import pytest

from training.world import lookups
from training.world.lookups import STATED
from training.world.problem import Split


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_sources_state_what_is_asked_for(split: Split) -> None:
    rng = random.Random(0)
    for _ in range(200):
        found = lookups.draw(rng, split)
        assert found.problem.split == split
        stated: dict[str, int] = {}
        for source in found.sources:
            stated |= source.counts
            assert source.says == "number"
            for things, count in source.counts.items():
                forms = [
                    each.format(name=found.name, things=things, count=count) for each in STATED
                ]
                assert any(each in source.text for each in forms)
        assert stated == found.counts
        assert found.name in found.problem.question
        assert all(things in found.problem.question for things in found.things)


def test_distractors_state_nothing_of_it() -> None:
    rng = random.Random(1)
    others = set()
    for _ in range(300):
        found = lookups.draw(rng, "train")
        for source in lookups.distractors(rng, found, 4):
            assert (source.says, source.counts) == ("nothing", {})
            for things in found.things:
                assert f"Of the {things}, {found.name} has" not in source.text
                assert f"The {things} of {found.name} are" not in source.text
            others.add((found.name in source.text, any(t in source.text for t in found.things)))
    assert others == {(True, False), (False, True), (False, False), (True, True)}


def test_a_bound_is_no_number() -> None:
    rng = random.Random(2)
    found = lookups.draw(rng, "train")
    source = lookups.bound(rng, found)
    ((things, least),) = source.counts.items()
    assert source.says == "bound"
    assert source.text == f"Of the {things}, {found.name} has {least} or more."


def test_questions_on_a_ledger_are_answered_by_it_or_by_nothing() -> None:
    rng = random.Random(3)
    answered = 0
    for _ in range(100):
        facts, asked = lookups.ledger(rng, 4, 6)
        stated = {(each.name, each.things): each.count for each in facts}
        assert (len(stated), len(asked)) == (4, 6)
        for each in asked:
            assert stated.get((each.name, each.things)) == each.count
            answered += each.count is not None
    assert 250 < answered < 400
