"""Advantages against cases worked by hand."""

import pytest
import torch
from torch import tensor

from training.rl.advantages import gae, grouped, informative, per_token, whiten


def test_grouped() -> None:
    scores = tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]])
    centred = grouped(scores, divide_by_std=False)
    assert centred.tolist() == [[0.5, -0.5, -0.5, 0.5], [0.25, 0.25, 0.25, -0.75]]
    # Deviations with n - 1: sqrt(1/3) and 1/2.
    divided = grouped(scores, divide_by_std=True)
    assert divided[0, 0].item() == pytest.approx(0.5 / (3**-0.5 + 1e-4))
    assert divided[1, 3].item() == pytest.approx(-0.75 / (0.5 + 1e-4))


def test_informative() -> None:
    scores = tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    assert informative(scores).tolist() == [False, True, False]


def test_gae_by_hand() -> None:
    rewards, values = tensor([[0.0, 0.0, 1.0]]), tensor([[0.5, 0.25, 0.5]])
    mask = torch.ones(1, 3)
    advantages, returns = gae(rewards, values, mask, discount=0.5, smoothing=0.5)
    # δ: 0.5·0.25 - 0.5 = -0.375; 0.5·0.5 - 0.25 = 0; 1 - 0.5 = 0.5. A: each δ + 0.25 A.
    assert advantages.tolist() == [[-0.375 + 0.25 * 0.125, 0.125, 0.5]]
    assert returns.tolist() == [[0.5 - 0.34375, 0.375, 1.0]]


def test_what_the_server_wrote_is_passed_over() -> None:
    rewards, values = tensor([[0.0, 0.0, 1.0]]), tensor([[0.5, 0.25, 0.5]])
    whole = gae(rewards, values, torch.ones(1, 3), discount=0.5, smoothing=0.5)
    spread = [tensor([[row[0], 9.0, row[1], row[2], 9.0]]) for row in (rewards[0], values[0])]
    mask = tensor([[1.0, 0, 1, 1, 0]])
    advantages, returns = gae(*spread, mask, discount=0.5, smoothing=0.5)
    assert advantages[mask > 0].tolist() == whole[0][0].tolist()
    assert returns[mask > 0].tolist() == whole[1][0].tolist()
    assert advantages[mask == 0].tolist() == returns[mask == 0].tolist() == [0, 0]


def test_whitening_is_over_the_mask() -> None:
    mask = tensor([1.0, 1, 1, 1, 0])
    whitened = whiten(tensor([1.0, 2, 3, 4, 100]), mask)
    assert whitened[4] == 0
    assert whitened[:4].mean().item() == pytest.approx(0, abs=1e-6)
    assert whitened[:4].var(unbiased=False).item() == pytest.approx(1)


def test_rewards_of_tokens() -> None:
    mask = tensor([[1.0, 1, 0, 0], [0, 1, 0, 1]])
    rewards = per_token(tensor([2.0, 3.0]), mask)
    assert rewards.tolist() == [[0, 2, 0, 0], [0, 0, 0, 3]]
    kl = tensor([[1.0, 1, 1, 1], [1, 1, 1, 1]])
    rewards = per_token(tensor([2.0, 3.0]), mask, kl, coefficient=0.5)
    assert rewards.tolist() == [[-0.5, 1.5, 0, 0], [0, -0.5, 0, 2.5]]
