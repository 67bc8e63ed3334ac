"""Whether a published checkpoint can take the place of the one that is served.

An engine that is given weights which do not fit keeps them half loaded, and the next step kills it
(vLLM 0.32). So all that can be known before is looked at before.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from server.engine.preflight import BadCheckpoint, header
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


ELSE = '; "engine": "new" starts another one beside it'


class Unfit(RegistryError):
    """One line on why a checkpoint cannot be loaded into this engine."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What a checkpoint must have to fit, told of the one that is served.

    Kept, since that one's folder may be gone by the time another comes.
    """

    config: Mapping[str, Any]
    texts_sha256: str
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]

    @classmethod
    def of(cls, folder: Path) -> "Fit":
        """Raises Unfit for a folder that is no checkpoint, such as the name of one on a hub."""
        return cls(read_json(folder / "config.json"), texts_sha256(folder), dict(tensors(folder)))

    def check(self, version: Version) -> None:
        """Reads every byte of it. Raises RegistryError."""
        theirs = check_alone(version)
        for key in sorted(SHAPING):
            ours, other = self.config.get(key), theirs.config.get(key)
            if ours != other:
                raise Unfit(f"{version}: {key} is {other!r}, and the engine runs {ours!r}{ELSE}")
        if theirs.texts_sha256 != self.texts_sha256:
            raise Unfit(
                f"{version}: its tokenizer or template is another one than the engine's{ELSE}"
            )
        self._check_tensors(version, theirs.tensors)

    def _check_tensors(
        self, version: Version, theirs: Mapping[str, tuple[str, tuple[int, ...]]]
    ) -> None:
        for name in sorted(self.tensors.keys() - theirs.keys()):
            raise Unfit(f"{version}: the weights {name} are missing")
        for name in sorted(theirs.keys() - self.tensors.keys()):
            raise Unfit(f"{version}: the engine has no weights {name}")
        for name, (dtype, shape) in sorted(theirs.items()):
            own_dtype, own_shape = self.tensors[name]
            if shape != own_shape:
                raise Unfit(f"{version}: {name} is {shape}, and the engine's is {own_shape}")
            if dtype != own_dtype:
                raise Unfit(f"{version}: {name} is {dtype}, and the engine's is {own_dtype}")


def check_alone(version: Version) -> Fit:
    """What it would take an engine of its own to serve it. Raises RegistryError."""
    if version.is_adapter:
        raise Unfit(f"{version} is an adapter: POST /v1/adapters/load loads it beside the weights")
    version.verify()
    found = Fit.of(version.folder)
    check_values(version)
    return found


def tensors(folder: Path) -> Iterator[tuple[str, tuple[str, tuple[int, ...]]]]:
    """Name, type and shape of all weights, by the files' headers. Raises Unfit."""
    for path in sorted(folder.glob("*.safetensors")):
        try:
            for name, tensor in header(path)[0].items():
                yield name, (tensor["dtype"], tuple(tensor["shape"]))
        except (BadCheckpoint, KeyError, TypeError) as error:
            raise Unfit(f"{path.name} is broken: its header is not safetensors") from error


def check_values(version: Version) -> None:
    for path in sorted(version.folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    # A sum is enough: it is finite only if all are, or so large that none is sane.
                    if not math.isfinite(float(file.get_tensor(name).to(torch.float64).sum())):
                        raise Unfit(f"{version}: {name} has values that are no numbers")
        except SafetensorError as error:
            raise Unfit(f"{version}: {path.name} cannot be read: {error}") from error


def read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unfit(f"{path.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise Unfit(f"{path.name} is not a JSON object")
    return content
