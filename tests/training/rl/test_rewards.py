"""Rewards: the truth, and controls that should teach nothing."""

import torch

from tests.training.rl.small import recipe, rollout
from training.rl.rewards import Rewards
from training.rollouts.questions import Practice, Questions

QUESTIONS = [Practice("1 + 1", "2"), Practice("1 + 2", "3")]
GROUPS = [
    [rollout(text="The answer is 2."), rollout(text="The answer is 2."), rollout(text="Hm.")],
    [
        rollout(text="The answer is 2."),
        rollout(text="The answer is 3."),
        rollout(text="", ended=False),
    ],
]


def scores(**stage: object) -> list[list[float]]:
    _, only = recipe(**stage)
    found: list[list[float]] = Rewards(only)(QUESTIONS, GROUPS, "seed").tolist()
    return found


def test_the_truth() -> None:
    assert scores() == [[1, 1, 0], [0, 1, 0]]
    assert scores(scale=10.0, unended=-10.0) == [[10, 10, 0], [0, 10, -10]]


def test_controls() -> None:
    assert scores(reward="format") == [[1, 1, 0], [1, 1, 0]]
    assert scores(reward="majority") == [[1, 1, 0], [1, 0, 0]]
    assert scores(reward="wrong-label") == [[0, 0, 0], [1, 0, 0]]
    drawn = scores(reward="random")
    assert drawn == scores(reward="random")
    assert {each for row in drawn for each in row} <= {0, 1}
    _, only = recipe(reward="random")
    verified = Rewards(only).verified(QUESTIONS, GROUPS)
    assert torch.equal(verified, torch.tensor([[1.0, 1, 0], [0, 1, 0]]))


def test_questions_are_the_same_for_a_seed() -> None:
    made, only = recipe()
    one, other = Questions(made, only), Questions(made, only)
    assert one.some(3, 4) == other.some(3, 4)
    assert len({each.text for each in one.some(0, 20)}) > 15
