"""Whether a published checkpoint can take the place of the one that is served.

An engine that is given weights which do not fit keeps them half loaded, and the next step kills it
(vLLM 0.32). So all that can be known before is looked at before.
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from training.registry import RegistryError, Version, texts_sha256

SHAPING = frozenset(
    [
        *("architectures", "model_type", "vocab_size", "hidden_size", "intermediate_size"),
        *("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim"),
        *("tie_word_embeddings", "rope_theta", "rope_parameters", "rope_scaling"),
        *("rms_norm_eps", "max_position_embeddings", "hidden_act", "layer_types"),
    ]
)
"""Of a config: what the running engine was built by, and cannot change."""


class Unfit(RegistryError):
    """One line on why a checkpoint cannot be loaded into this engine."""


def check(version: Version, served: Path) -> None:
    """Reads every byte of it. Raises RegistryError. served: the folder that the engine runs."""
    version.verify()
    _check_config(version, served)
    if texts_sha256(version.folder) != texts_sha256(served):
        raise Unfit(f"{version}: its tokenizer or template is another one than the engine's")
    _check_tensors(version, served)
    _check_values(version)


def _check_config(version: Version, served: Path) -> None:
    ours, theirs = (_json(folder / "config.json") for folder in (served, version.folder))
    for key in sorted(SHAPING):
        if ours.get(key) != theirs.get(key):
            raise Unfit(
                f"{version}: {key} is {theirs.get(key)!r}, and the engine runs {ours.get(key)!r}"
            )


def _check_tensors(version: Version, served: Path) -> None:
    ours, theirs = dict(tensors(served)), dict(tensors(version.folder))
    for name in sorted(ours.keys() - theirs.keys()):
        raise Unfit(f"{version}: the weights {name} are missing")
    for name in sorted(theirs.keys() - ours.keys()):
        raise Unfit(f"{version}: the engine has no weights {name}")
    for name, (dtype, shape) in sorted(theirs.items()):
        if shape != ours[name][1]:
            raise Unfit(f"{version}: {name} is {shape}, and the engine's is {ours[name][1]}")
        if dtype != ours[name][0]:
            raise Unfit(f"{version}: {name} is {dtype}, and the engine's is {ours[name][0]}")


def tensors(folder: Path) -> Iterator[tuple[str, tuple[str, tuple[int, ...]]]]:
    """Name, type and shape of all weights, by the files' headers. Raises Unfit."""
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                if length > path.stat().st_size - 8:
                    raise Unfit(f"{path.name} is shorter than its header")
                header = json.loads(file.read(length))
            for name, tensor in header.items():
                if name != "__metadata__":
                    yield name, (tensor["dtype"], tuple(tensor["shape"]))
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unfit(f"{path.name}: its header is not safetensors") from error


def _check_values(version: Version) -> None:
    for path in sorted(version.folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    # A sum is enough: it is finite only if all are, or so large that none is sane.
                    if not math.isfinite(float(file.get_tensor(name).to(torch.float64).sum())):
                        raise Unfit(f"{version}: {name} has values that are no numbers")
        except SafetensorError as error:
            raise Unfit(f"{version}: {path.name} cannot be read: {error}") from error


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unfit(f"{path.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise Unfit(f"{path.name} is not a JSON object")
    return content
