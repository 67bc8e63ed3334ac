"""Rollouts as tensors: rows of like length together, cut to what fits in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.config import Batches
from training.rollouts.rollouts import Rollout


@dataclass(frozen=True, slots=True)
class Micro:
    """Some rollouts of a batch. rows: which, [R]; rows of padding have no drawn token.

    ids, targets: int64 [R, L], each target the id that follows; mask: float [R, L], 1 where the
    policy chose the target.
    """

    rows: Tensor
    ids: Tensor
    targets: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> "Micro":
        moved = (each.to(device) for each in (self.ids, self.targets, self.mask))
        return Micro(self.rows, *moved)


def shared(pieces: Sequence[Micro], rank: int, count: int) -> list[Micro]:
    """This process's: as many as any other's, so that all gather layers as often, the last of them
    perhaps with nothing drawn in it."""
    own = list(pieces[rank::count])
    if len(own) < -(-len(pieces) // count):
        last = pieces[-1]
        nothing = torch.zeros(0, dtype=torch.long)
        own.append(Micro(nothing, last.ids, last.targets, torch.zeros_like(last.mask)))
    return own


def micros(rollouts: Sequence[Rollout], sizes: Batches, pad: int) -> Iterator[Micro]:
    """All of them, the shortest first. Raises ValueError for one that is longer than all sizes."""
    waiting: dict[int, list[int]] = {length: [] for length in sizes.lengths}
    for row, rollout in enumerate(rollouts):
        size = len(rollout.prompt) + len(rollout.completion) - 1
        fitting = [length for length in sizes.lengths if length >= size]
        if not fitting:
            raise ValueError(
                f"a rollout of {size + 1} tokens: batches.lengths ends at {sizes.lengths[-1]}"
            )
        waiting[fitting[0]].append(row)
    for length, rows in waiting.items():
        most = max(1, sizes.tokens // length)
        for start in range(0, len(rows), most):
            yield _micro(rollouts, rows[start : start + most], length, most, pad)


def _micro(
    rollouts: Sequence[Rollout], rows: Sequence[int], length: int, most: int, pad: int
) -> Micro:
    """Always of `most` rows, so that a compiled step sees one shape a length."""
    ids = torch.full((most, length), pad)
    targets = torch.full((most, length), pad)
    mask = torch.zeros(most, length)
    for at, row in enumerate(rows):
        rollout = rollouts[row]
        whole = torch.tensor([*rollout.prompt, *rollout.completion])
        size, first = len(whole) - 1, len(rollout.prompt) - 1
        ids[at, :size], targets[at, :size] = whole[:-1], whole[1:]
        mask[at, first:size] = torch.tensor(rollout.drawn, dtype=torch.float)
    return Micro(torch.tensor(rows), ids, targets, mask)
