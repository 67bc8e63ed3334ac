"""Small LoRA adapters, as peft saves them, of `tests.checkpoints`' checkpoint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

CONFIG: Mapping[str, Any] = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["a"]}
BASE = {"layer.a.weight": torch.ones(3, 4), "lm_head.weight": torch.ones(5, 4)}
"""Weights of the model that it is for."""


def named(module: str, side: str) -> str:
    return f"base_model.model.{module}.lora_{side}.weight"


A, B = named("layer.a", "A"), named("layer.a", "B")
FITTING: Mapping[str, torch.Tensor] = {A: torch.ones(2, 4), B: torch.ones(3, 2)}


def adapter(
    folder: Path,
    tensors: Mapping[str, torch.Tensor] = FITTING,
    config: Mapping[str, Any] = CONFIG,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(dict(tensors), folder / "adapter_model.safetensors")
    return folder
