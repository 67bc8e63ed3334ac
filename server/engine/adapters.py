"""LoRA adapters: small changes to a model's weights, many of which one engine applies at once.

An engine knows an adapter by its number and name, and reads it from its folder: also again,
whenever it has forgotten it. Another version of one has another number, so that no cache of the one
is taken for the other's.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save_file


@dataclass(frozen=True, slots=True)
class Adapter:
    """name, version: of a registry. number: above 0, of no other in this process's life."""

    name: str
    version: str
    number: int
    folder: Path

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


USUAL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Of models of Llama's make, which most are."""

VOCABULARY = ("embed_tokens", "lm_head", "wte", "embed_out")
"""Not adapted: with an adapter there vLLM 0.32 dies of two requests for log-probabilities of their
prompts at once."""


def adaptable(weights: Iterable[tuple[str, int]]) -> list[str]:
    """What an adapter may change: the last part of modules' names. weights: names, dimensions."""
    modules = {
        name.removesuffix(".weight").rpartition(".")[2]
        for name, dimensions in weights
        if name.endswith(".weight") and dimensions == 2
    }
    return sorted(modules - set(VOCABULARY))


FIRST = 2
"""The number of the first adapter of a registry; 1 is that of `without`."""


def without(folder: Path, module: str) -> Adapter:
    """Written into a folder: an adapter that changes nothing. module: one that could be adapted.

    On a CPU vLLM 0.32 computes a call that has no adapter, beside calls that have some, as if it
    had one of these. There such a call is given this.
    """
    nothing = {
        f"base_model.model.none.{module}.lora_{side}.weight": torch.zeros(1, 1) for side in "AB"
    }
    save_file(nothing, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": [module]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return Adapter("none", "v1", FIRST - 1, folder)


class Adapting(Protocol):
    """What an engine must let be done for adapters to come and go while it runs."""

    async def add(self, adapter: Adapter) -> None:
        """Raises SwapFailed for one that it cannot read, and EngineUnavailable."""
        ...

    async def remove(self, adapter: Adapter) -> None:
        """Of one that no call uses any more. Raises EngineUnavailable."""
        ...
