"""Losses of policy and value: pure functions on tensors, [B, T] but where said otherwise.

B: completions, T: their tokens. A mask is 1 where a token was drawn by the policy.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Aggregation = Literal["token-mean", "sequence-mean", "constant"]


@dataclass(frozen=True, slots=True)
class Clipping:
    """low, high: how far the ratio may go below and above 1 (clip-higher: DAPO, arXiv 2503.14476,
    3.1). ratio_cap: of how much likelier the learner finds a token than the engine that drew it did
    (truncated importance sampling); None for no correction."""

    low: float = 0.2
    high: float = 0.272
    ratio_cap: float | None = None


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """loss: what is minimised, a scalar; the rest are means over the mask, for the log."""

    loss: Tensor
    kl: Tensor
    clipped: Tensor
    ratio: Tensor


def policy(
    logprobs: Tensor,
    behaviour: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clipping: Clipping,
    weights: Tensor,
    reference: Tensor | None = None,
    kl_coefficient: float = 0.0,
    sampled: Tensor | None = None,
) -> PolicyLoss:
    """PPO's clipped objective (arXiv 1707.06347, 3), and a KL to the reference beside it.

    behaviour: log-probabilities under the weights that drew the tokens; sampled: those that the
    engine itself told, for `clipping.ratio_cap`. weights: of each token in the loss, see `weights`.
    reference: None for no KL in the loss.
    """
    ratio = torch.exp(logprobs - behaviour)
    bounded = ratio.clamp(1 - clipping.low, 1 + clipping.high)
    objective = torch.minimum(ratio * advantages, bounded * advantages)
    if clipping.ratio_cap is not None and sampled is not None:
        objective = objective * torch.exp(behaviour - sampled).clamp(max=clipping.ratio_cap)
    loss = -objective
    kl = torch.zeros_like(loss) if reference is None else kl_estimate(logprobs, reference)
    loss = loss + kl_coefficient * kl
    count = mask.sum().clamp(min=1)
    is_clipped = (bounded != ratio) & (bounded * advantages < ratio * advantages)
    return PolicyLoss(
        loss=(loss * weights).sum(),
        kl=(kl.detach() * mask).sum() / count,
        clipped=(is_clipped * mask).sum() / count,
        ratio=(ratio.detach() * mask).sum() / count,
    )


def kl_estimate(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Of the KL from the reference, at each drawn token: never negative, and unbiased
    (Schulman's k3, http://joschu.net/blog/kl-approx.html)."""
    difference = reference - logprobs
    return torch.exp(difference) - difference - 1


def weights(drawn: Tensor, how: Aggregation, *, longest: int) -> Tensor:
    """What each token of a completion counts in the loss of the whole batch, however that is cut
    for memory. drawn: how many tokens of each completion the policy chose, [B]. Returns [B].

    token-mean: all tokens alike (DAPO); sequence-mean: all completions alike, each the mean of its
    tokens (GRPO as published); constant: the sum over a fixed `longest` (Dr. GRPO).
    """
    if how == "token-mean":
        return torch.ones_like(drawn) / drawn.sum().clamp(min=1)
    if how == "sequence-mean":
        return 1 / drawn.clamp(min=1) / len(drawn)
    return torch.ones_like(drawn) / (len(drawn) * longest)


def value(
    values: Tensor, before: Tensor, returns: Tensor, *, clip: float, weights: Tensor
) -> Tensor:
    """Half the squared error, of the worse of the value and the one that is within `clip` of
    what it was before the update. A scalar."""
    bounded = before + (values - before).clamp(-clip, clip)
    error = torch.maximum((values - returns).square(), (bounded - returns).square())
    return 0.5 * (error * weights).sum()
