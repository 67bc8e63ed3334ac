"""Small checkpoint folders, whole ones and broken ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

CONFIG: Mapping[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "vocab_size": 8,
}


def checkpoint(
    folder: Path,
    tensors: Mapping[str, torch.Tensor] | None = None,
    config: Mapping[str, Any] = CONFIG,
    tokenizer: str = "{}",
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(tokenizer)
    weights = {"a": torch.zeros(2, 3), "b": torch.ones(4)} if tensors is None else dict(tensors)
    save_file(weights, folder / "model.safetensors")
    return folder
