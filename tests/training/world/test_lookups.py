"""Look-ups can be answered by their sources, and by no distractor."""

import random
import re

import pytest

from training.world import lookups
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
            for things, count in source.counts.items():
                assert re.search(rf"\b{count} {things}\b", source.text)
                assert found.name in source.text
        assert stated == found.counts
        assert found.name in found.problem.question
        assert all(things in found.problem.question for things in found.things)


def test_distractors_state_nothing_of_it() -> None:
    rng = random.Random(1)
    for _ in range(200):
        found = lookups.draw(rng, "train")
        for source in lookups.distractors(rng, found, 4):
            assert source.counts == {}
            is_of_another = not re.search(rf"\b{found.name}\b", source.text)
            is_other_thing = not any(things in source.text for things in found.things)
            assert is_of_another != is_other_thing


def test_a_vague_source_states_a_bound() -> None:
    rng = random.Random(2)
    found = lookups.draw(rng, "train")
    source = lookups.vague(rng, found)
    ((things, bound),) = source.counts.items()
    assert source.vague
    assert source.text == f"{found.name} has more than {bound} {things}."
