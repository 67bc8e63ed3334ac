"""From scores to advantages: pure functions on tensors.

B: completions, T: their tokens, G: groups of one prompt, N: completions in a group. A mask is 1
where a token was drawn by the policy, 0 for padding and for what the server wrote.
"""

from collections.abc import Callable

import torch
from torch import Tensor

SMALL = 1e-8


def grouped(scores: Tensor, *, divide_by_std: bool) -> Tensor:
    """GRPO's: scores [G, N] less their group's mean. [G, N]

    divide_by_std: as DeepSeekMath has it (arXiv 2402.03300, 4.1); without, questions of all
    difficulties count alike (Dr. GRPO, arXiv 2503.20783).
    """
    centred = scores - scores.mean(dim=1, keepdim=True)
    if not divide_by_std:
        return centred
    return centred / (scores.std(dim=1, keepdim=True) + 1e-4)


def informative(scores: Tensor) -> Tensor:
    """Which groups of scores [G, N] are not all alike; the others teach nothing. bool [G]"""
    return (scores.max(dim=1).values - scores.min(dim=1).values) > SMALL


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, *, discount: float, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (arXiv 1506.02438): advantages and returns, both [B, T].

    rewards, values, mask: [B, T]. Positions off the mask are passed over, as if they were not
    there: what the server wrote is part of no action. smoothing: λ.
    """
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    advantage = torch.zeros_like(following)
    for t in reversed(range(rewards.shape[1])):
        here = mask[:, t] > 0
        delta = rewards[:, t] + discount * following - values[:, t]
        advantage = torch.where(here, delta + discount * smoothing * advantage, advantage)
        following = torch.where(here, values[:, t], following)
        advantages[:, t] = torch.where(here, advantage, 0.0)
    return advantages, (advantages + values) * mask


def whiten(
    values: Tensor, mask: Tensor, total: Callable[[Tensor], Tensor] = lambda each: each
) -> Tensor:
    """To mean 0 and variance 1 over the mask; 0 off it. Same shape.

    total: of a sum, that over all processes, each of which has a part of the batch.
    """
    count = total(mask.sum()).clamp(min=1)
    mean = total((values * mask).sum()) / count
    variance = total(((values - mean).square() * mask).sum()) / count
    return (values - mean) * torch.rsqrt(variance + SMALL) * mask


def per_token(
    scores: Tensor, mask: Tensor, kl: Tensor | None = None, *, coefficient: float = 0.0
) -> Tensor:
    """Rewards [B, T]: the score [B] at the last token of the mask, less `coefficient` x the KL
    [B, T] at each (InstructGPT's reward, as Tülu 3's PPO has it)."""
    rewards = torch.zeros_like(mask) if kl is None else -coefficient * kl * mask
    positions = torch.arange(mask.shape[1], device=mask.device)
    last = (mask * positions).argmax(dim=1)
    rewards[torch.arange(len(scores)), last] += scores
    return rewards
