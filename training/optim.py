"""Muon for the weight matrices and AdamW for embeddings and norms, or AdamW for all."""

import torch
from torch import nn

from training.stages import Stage


def optimizers(model: nn.Module, stage: Stage) -> list[torch.optim.Optimizer]:
    """At their peak rates, kept as `initial_lr` for the schedule to scale."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and "embed" not in name
        (matrices if is_matrix else rest).append(parameter)
    found: list[torch.optim.Optimizer] = []
    decayed = {"params": matrices, "weight_decay": stage.weight_decay}
    if stage.matrix_learning_rate is None:
        groups = [decayed, {"params": rest, "weight_decay": 0.0}]
    else:
        groups = [{"params": rest, "weight_decay": 0.0}]
        rate = stage.matrix_learning_rate
        found.append(torch.optim.Muon([decayed], lr=rate, momentum=0.95))
    found.append(torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(0.9, 0.95)))
    for group in [group for each in found for group in each.param_groups]:
        group["initial_lr"] = group["lr"]
    return found


def scale(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
