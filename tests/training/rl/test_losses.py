"""Losses against cases worked by hand."""

import math

import pytest
import torch
from torch import tensor

from training.rl.losses import Clipping, kl_estimate, policy, value, weights

ONE = tensor([[1.0]])


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "clipped"),
    [
        (1.0, 1.0, -1.0, 0),
        (1.5, 1.0, -1.272, 1),  # no more to gain than clip-higher gives
        (1.5, -1.0, 1.5, 0),  # but all to lose
        (0.5, 1.0, -0.5, 0),
        (0.5, -1.0, 0.8, 1),
    ],
)
def test_clip_higher(ratio: float, advantage: float, loss: float, clipped: float) -> None:
    found = policy(
        tensor([[math.log(ratio)]]),
        torch.zeros(1, 1),
        tensor([[advantage]]),
        ONE,
        clipping=Clipping(),
        weights=ONE,
    )
    assert found.loss.item() == pytest.approx(loss)
    assert (found.clipped.item(), found.ratio.item()) == (clipped, pytest.approx(ratio))


def test_the_ratio_to_the_engine_is_capped() -> None:
    def loss(behaviour: float, sampled: float) -> float:
        found = policy(
            tensor([[behaviour]]),
            tensor([[behaviour]]),
            ONE,
            ONE,
            clipping=Clipping(ratio_cap=2.0),
            weights=ONE,
            sampled=tensor([[sampled]]),
        )
        return found.loss.item()

    assert loss(-1.0, -1.0) == -1
    assert loss(-1.0, -1.5) == pytest.approx(-math.exp(0.5))
    assert loss(-1.0, -4.0) == -2


def test_kl_is_in_the_loss_and_never_negative() -> None:
    logprobs, reference = tensor([[-1.0, -2.0]]), tensor([[-1.0, -1.0]])
    assert kl_estimate(logprobs, reference).tolist() == [[0, pytest.approx(math.e - 2)]]
    found = policy(
        logprobs,
        logprobs,
        torch.zeros(1, 2),
        torch.ones(1, 2),
        clipping=Clipping(),
        weights=torch.ones(1, 2) / 2,
        reference=reference,
        kl_coefficient=0.5,
    )
    assert found.loss.item() == pytest.approx(0.25 * (math.e - 2))
    assert found.kl.item() == pytest.approx(0.5 * (math.e - 2))


def test_weights() -> None:
    drawn = tensor([1.0, 3.0])
    assert weights(drawn, "token-mean", longest=8).tolist() == [0.25, 0.25]
    assert weights(drawn, "sequence-mean", longest=8).tolist() == pytest.approx([0.5, 1 / 6])
    assert weights(drawn, "constant", longest=8).tolist() == [1 / 16, 1 / 16]


def test_value_takes_the_worse_of_two() -> None:
    def loss(now: float, before: float, target: float) -> float:
        now_, before_, target_ = (tensor([[each]]) for each in (now, before, target))
        return value(now_, before_, target_, clip=0.2, weights=ONE).item()

    assert loss(0.5, 0.5, 1.0) == pytest.approx(0.125)
    # Moved further than the clip lets it: it gains no more by it.
    assert loss(1.0, 0.5, 1.0) == pytest.approx(0.5 * 0.3**2)
    assert loss(0.0, 0.5, 1.0) == pytest.approx(0.5)
