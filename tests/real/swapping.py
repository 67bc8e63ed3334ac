"""Checkpoints to exchange on the real engine, made of the one that ships."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import torch
from safetensors.torch import load_file, save_file

from server.config import RELEASED

MODULES = ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")


def serve(url: str, version: str) -> None:
    """Have a version of `mini` served, whatever was: in an engine of its own where it must be."""
    wanted = {"name": "mini", "version": version}
    loaded = httpx.post(f"{url}/v1/checkpoints/load", json=wanted, timeout=180)
    if loaded.status_code == httpx.codes.CONFLICT:
        loaded = httpx.post(
            f"{url}/v1/checkpoints/load", json={**wanted, "engine": "new"}, timeout=180
        )
    assert loaded.status_code == httpx.codes.OK, loaded.text


def altered(
    source: Path, folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor]
) -> Path:
    """A copy of a checkpoint, with other values in its weights."""
    folder.mkdir()
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(source / "model.safetensors")
    changed = {name: change(name, tensor) for name, tensor in weights.items()}
    save_file(changed, folder / "model.safetensors", {"format": "pt"})
    return folder


def noisy(folder: Path, seed: int = 0) -> Path:
    generator = torch.Generator().manual_seed(seed)

    def change(_: str, tensor: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
        return tensor + 0.3 * tensor.std() * noise

    return altered(RELEASED, folder, change)


def adapter(folder: Path, seed: int, rank: int = 8, strength: float = 0.02) -> Path:
    """A LoRA adapter of the shipped checkpoint, as peft saves one."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, weights in load_file(RELEASED / "model.safetensors").items():
        module = name.removesuffix(".weight")
        if module.endswith(MODULES):
            out, into = weights.shape
            for side, shape in (("A", (rank, into)), ("B", (out, rank))):
                values = torch.randn(shape, generator=generator) * strength**0.5
                tensors[f"base_model.model.{module}.lora_{side}.weight"] = values
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": sorted({module.rpartition(".")[2] for module in MODULES}),
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def merged(made: Path, folder: Path) -> Path:
    """The shipped checkpoint with an adapter's changes in its own weights."""
    config = json.loads((made / "adapter_config.json").read_text())
    tensors = load_file(made / "adapter_model.safetensors")
    scale = config["lora_alpha"] / config["r"]

    def change(name: str, weights: torch.Tensor) -> torch.Tensor:
        prefix = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{prefix}.lora_A.weight" not in tensors:
            return weights
        a, b = (tensors[f"{prefix}.lora_{side}.weight"] for side in "AB")
        return (weights.float() + scale * (b @ a)).to(weights.dtype)

    return altered(RELEASED, folder, change)
