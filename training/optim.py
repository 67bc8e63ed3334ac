"""Muon for the weight matrices, AdamW for embeddings and norms."""

import torch
from torch import nn

from training.config import Stage


def optimizers(model: nn.Module, stage: Stage) -> list[torch.optim.Optimizer]:
    """Both, at their peak rates, kept as `initial_lr` for the schedule to scale."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and "embed" not in name
        (matrices if is_matrix else rest).append(parameter)
    muon = torch.optim.Muon(
        matrices,
        lr=stage.matrix_learning_rate,
        momentum=0.95,
        weight_decay=stage.weight_decay,
    )
    adam = torch.optim.AdamW(rest, lr=stage.learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    for group in [*muon.param_groups, *adam.param_groups]:
        group["initial_lr"] = group["lr"]
    return [muon, adam]


def scale(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
