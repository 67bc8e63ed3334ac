"""What can be told of a checkpoint and of this machine without starting an engine.

An engine that does not start says so in a process of its own, with a page of traceback, after half
a minute. These checks take milliseconds and say one line. They refuse what cannot work, and leave
what they do not understand to the engine.
"""

import json
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

GIB = 2**30

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}

_FLOATS = {"F64", "F32", "F16", "BF16"}


class CannotStart(Exception):
    """One line for whoever started the server; it names the flag."""


class BadCheckpoint(CannotStart):
    """One line on a folder that no engine could serve."""

    def __init__(self, message: str) -> None:
        super().__init__(f"--model: {message}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """weight_bytes: as stored. parameters: of floating-point tensors."""

    config: Mapping[str, Any]
    weight_bytes: int
    parameters: int

    @classmethod
    def read(cls, folder: Path) -> "Checkpoint":
        """Reads the headers alone. Raises BadCheckpoint."""
        if not (folder / "config.json").is_file():
            raise BadCheckpoint(f"there is no checkpoint at {folder} (no config.json)")
        config = _json(folder / "config.json")
        sizes = [tensor_sizes(path) for path in weight_files(folder)]
        return cls(config, sum(size for size, _ in sizes), sum(count for _, count in sizes))

    @property
    def context(self) -> int | None:
        """Tokens that its positions reach; None where they are scaled, or not said."""
        rope = self._text.get("rope_scaling") or self._text.get("rope_parameters") or {}
        if rope.get("rope_type", rope.get("type", "default")) != "default":
            return None
        return self._text.get("max_position_embeddings")

    def cache_bytes(self, dtype: str) -> int | None:
        """Bytes of KV cache that a token takes at least; None for attention of a special kind."""
        text = self._text
        heads = text.get("num_key_value_heads") or text.get("num_attention_heads")
        special = text.get("kv_lora_rank") or text.get("sliding_window")
        kinds = set(text.get("layer_types") or ["full_attention"])
        known = heads and text.get("head_dim") and text.get("num_hidden_layers")
        if special or not known or kinds != {"full_attention"}:
            return None
        return int(2 * text["num_hidden_layers"] * heads * text["head_dim"] * BYTES.get(dtype, 2))

    @property
    def _text(self) -> Mapping[str, Any]:
        """The language model's part, where the config has several."""
        part: Mapping[str, Any] = self.config.get("text_config") or self.config
        return part


def is_folder(model: str) -> bool:
    """Whether a model is meant as a path; a name with one slash may be a hub's."""
    path = Path(model)
    return path.is_dir() or path.is_absolute() or model.startswith(".") or model.count("/") != 1


def check_checkpoint(model: str, max_model_len: int | None) -> None:
    """Raises CannotStart for a folder that cannot be served with such a context."""
    if not is_folder(model):
        return
    context = Checkpoint.read(Path(model)).context
    if context is not None and max_model_len is not None and max_model_len > context:
        raise CannotStart(
            f"--max-model-len: {max_model_len} tokens, and the model is made for {context}"
        )


def check_architecture(model: str, known: Collection[str]) -> None:
    """Raises BadCheckpoint where a folder asks for none of the `known` architectures."""
    config = _json(Path(model) / "config.json")
    asked = config.get("architectures") or []
    if asked and "auto_map" not in config and not set(asked) & set(known):
        raise BadCheckpoint(f"the engine does not know the architecture {', '.join(asked)}")


def check_memory(model: str, dtype: str, cache: int, context: int | None, free: int) -> None:
    """For an engine on CPU. cache, free: bytes. Raises CannotStart where the memory is too little
    for weights and KV cache, or the KV cache for one request that fills the context."""
    checkpoint = Checkpoint.read(Path(model))
    size = BYTES.get(dtype)
    weights = checkpoint.weight_bytes if size is None else checkpoint.parameters * size
    if weights + cache > free:
        raise CannotStart(
            f"--kv-cache-gib: {cache / GIB:.2f} GiB of KV cache and {weights / GIB:.2f} GiB of "
            f"weights, and {free / GIB:.2f} GiB of memory are free"
        )
    each, context = checkpoint.cache_bytes(dtype), context or checkpoint.context
    if each is not None and context is not None and each * context > cache:
        raise CannotStart(
            f"--kv-cache-gib: one request of {context} tokens needs {each * context / GIB:.3g} GiB,"
            f" and the KV cache has {cache / GIB:.3g}; a smaller --max-model-len needs less"
        )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a checkpoint; none for one that has its weights in another format.

    Raises BadCheckpoint where there are no weights, or where files of the index are missing.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        listed = _json(index).get("weight_map")
        if not isinstance(listed, dict):
            raise BadCheckpoint(f"{index} has no weight_map")
        files = [folder / name for name in sorted(set(listed.values()))]
        for path in files:
            if not path.is_file():
                raise BadCheckpoint(f"{index.name} lists {path.name}, which is not in {folder}")
        return files
    files = sorted(folder.glob("*.safetensors"))
    if not files and not any((*folder.glob("*.bin"), *folder.glob("*.pt"))):
        raise BadCheckpoint(f"there are no weights in {folder} (no *.safetensors)")
    return files


def tensor_sizes(path: Path) -> tuple[int, int]:
    """Bytes of all tensors, and parameters of the floating-point ones, by the file's header.

    Raises BadCheckpoint.
    """
    tensors, length = header(path)
    try:
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        floats = (tensor for tensor in tensors.values() if tensor["dtype"] in _FLOATS)
        count = sum(prod(tensor["shape"]) for tensor in floats)
    except (KeyError, IndexError, TypeError) as error:
        raise BadCheckpoint(f"{path} is broken: its header is not safetensors") from error
    if path.stat().st_size != 8 + length + end:
        raise BadCheckpoint(
            f"{path} is broken: {path.stat().st_size} bytes, and its header says {8 + length + end}"
        )
    return end, count


def header(path: Path) -> tuple[dict[str, Any], int]:
    """What a file of safetensors says of its tensors, by name, and the bytes that takes.

    The format: https://huggingface.co/docs/safetensors. Raises BadCheckpoint.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size - 8:
                raise BadCheckpoint(f"{path} is broken: it is shorter than its header")
            found = json.loads(file.read(length))
        tensors = {name: each for name, each in found.items() if name != "__metadata__"}
    except (struct.error, ValueError, AttributeError) as error:
        raise BadCheckpoint(f"{path} is broken: its header is not safetensors") from error
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror}") from error
    return tensors, length


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadCheckpoint(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadCheckpoint(f"{path} is not a JSON object")
    return content
