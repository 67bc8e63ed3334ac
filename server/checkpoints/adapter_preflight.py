"""Whether a published LoRA adapter can be applied to the model that is served.

Its folder is peft's: `adapter_config.json` and `adapter_model.safetensors`, with weights named
`base_model.model.<module>.lora_A.weight` (rank × in) and `lora_B` (out × rank).
"""

import re
from collections.abc import Mapping
from typing import Any

from server.checkpoints.preflight import Fit, Unfit, check_values, read_json, tensors
from server.engine.adapters import adaptable
from training.registry import Version

WEIGHT = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
PLAIN: Mapping[str, Any] = {"use_dora": False, "bias": "none", "modules_to_save": None}
"""What adapters of a kind that the engine does not know have otherwise."""

Shape = tuple[int, ...]


def check_adapter(version: Version, base: Fit, most_rank: int) -> None:
    """Reads every byte of it. Raises RegistryError."""
    if not version.is_adapter:
        raise Unfit(f"{version} is no adapter: POST /v1/checkpoints/load loads it")
    version.verify()
    rank = _rank(version, most_rank)
    modules = _modules(version)
    if not modules:
        raise Unfit(f"{version}: it has no weights")
    known = adaptable((name, len(shape)) for name, (_, shape) in base.tensors.items())
    for module, sides in sorted(modules.items()):
        _, of = base.tensors.get(f"{module}.weight", ("", ()))
        if len(of) != 2 or module.rpartition(".")[2] not in known:
            raise Unfit(f"{version}: the engine has no module {module} that can be adapted")
        for side, fits in (("A", (rank, of[1])), ("B", (of[0], rank))):
            if side not in sides:
                raise Unfit(f"{version}: the weights lora_{side} of {module} are missing")
            if sides[side] != fits:
                raise Unfit(
                    f"{version}: lora_{side} of {module} is {sides[side]}, and should be {fits}"
                )
    check_values(version)


def _modules(version: Version) -> Mapping[str, Mapping[str, Shape]]:
    """By module and side: the shapes of what is added to it."""
    found: dict[str, dict[str, Shape]] = {}
    for name, (_, shape) in tensors(version.folder):
        parts = WEIGHT.fullmatch(name)
        if parts is None:
            raise Unfit(f"{version}: {name} is no weight of a LoRA adapter")
        found.setdefault(parts["module"], {})[parts["side"]] = shape
    return found


def _rank(version: Version, most: int) -> int:
    config = read_json(version.folder / "adapter_config.json")
    if config.get("peft_type") != "LORA":
        raise Unfit(f"{version}: peft_type is {config.get('peft_type')!r}, and should be 'LORA'")
    for key, plain in PLAIN.items():
        if config.get(key, plain) not in (plain, []):
            raise Unfit(f"{version}: {key} is {config[key]!r}, and should be {plain!r}")
    rank = config.get("r")
    if not isinstance(rank, int) or rank < 1:
        raise Unfit(f"{version}: r is {rank!r}, and should be a rank")
    if rank > most:
        raise Unfit(f"{version}: r is {rank}, and the server's --max-adapter-rank is {most}")
    return rank
