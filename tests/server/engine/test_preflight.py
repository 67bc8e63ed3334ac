"""Checkpoints and machines that cannot serve, told in one line."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from server.config import RELEASED
from server.engine.preflight import (
    GIB,
    CannotStart,
    Checkpoint,
    check_architecture,
    check_checkpoint,
    check_memory,
)

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASED, tmp_path / "model"))


def change(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refused(line: str) -> Any:
    return pytest.raises(CannotStart, match=f"^{re.escape(line)}[^\n]*$")


def test_the_released_checkpoint_passes() -> None:
    check_checkpoint(str(RELEASED), 2048)
    check_architecture(str(RELEASED), {"Qwen3ForCausalLM"})
    check_memory(str(RELEASED), "auto", GIB // 4, None, GIB)
    checkpoint = Checkpoint.read(RELEASED)
    assert checkpoint.weight_bytes == 4 * checkpoint.parameters
    assert checkpoint.cache_bytes("float32") == 2 * 4 * 4 * 32 * 4


def test_hub_names_are_not_looked_up() -> None:
    check_checkpoint("org/name", None)


def test_a_folder_without_a_config(tmp_path: Path) -> None:
    with refused(f"--model: there is no checkpoint at {tmp_path} (no config.json)"):
        check_checkpoint(str(tmp_path), None)


@pytest.mark.parametrize(("text", "reason"), [("{", "is not JSON"), ("[]", "is not a JSON object")])
def test_a_config_that_is_none(folder: Path, text: str, reason: str) -> None:
    (folder / "config.json").write_text(text)
    with refused(f"--model: {folder / 'config.json'} {reason}"):
        check_checkpoint(str(folder), None)


@pytest.mark.parametrize("kept", [0, 4, 100, 100_000])
def test_weights_cut_short(folder: Path, kept: int) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:kept])
    with refused(f"--model: {path} is broken"):
        check_checkpoint(str(folder), None)


@pytest.mark.parametrize("header", [b"\xff\xff", b"[]", b'{"a": {}}', b'{"a": 1}'])
def test_weights_with_a_wrong_header(folder: Path, header: bytes) -> None:
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)
    with refused(f"--model: {folder / WEIGHTS} is broken: its header is not safetensors"):
        check_checkpoint(str(folder), None)


def test_no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with refused(f"--model: there are no weights in {folder}"):
        check_checkpoint(str(folder), None)


def test_a_missing_shard(folder: Path) -> None:
    index = {"weight_map": {"a": WEIGHTS, "b": "second.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with refused("--model: model.safetensors.index.json lists second.safetensors"):
        check_checkpoint(str(folder), None)


def test_a_context_longer_than_the_models(folder: Path) -> None:
    with refused("--max-model-len: 4096 tokens, and the model is made for 2048"):
        check_checkpoint(str(folder), 4096)
    change(folder, rope_parameters={"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4})
    check_checkpoint(str(folder), 4096)


def test_an_architecture_that_is_not_known(folder: Path) -> None:
    with refused("--model: the engine does not know the architecture Qwen3ForCausalLM"):
        check_architecture(str(folder), {"LlamaForCausalLM"})
    change(folder, auto_map={"AutoModel": "model.py"})
    check_architecture(str(folder), {"LlamaForCausalLM"})


def test_too_little_memory() -> None:
    with refused("--kv-cache-gib: 2.00 GiB of KV cache and 0.00 GiB of weights, and 1.00 GiB"):
        check_memory(str(RELEASED), "auto", 2 * GIB, None, GIB)


def test_weights_of_another_type_take_its_room(folder: Path) -> None:
    checkpoint = Checkpoint.read(folder)
    cache = GIB // 4
    half = checkpoint.weight_bytes // 2
    check_memory(str(folder), "bfloat16", cache, None, cache + half)
    with refused("--kv-cache-gib: 0.25 GiB of KV cache"):
        check_memory(str(folder), "float32", cache, None, cache + half)


def test_a_cache_too_small_for_one_request() -> None:
    with refused("--kv-cache-gib: one request of 2048 tokens needs 0.00391 GiB"):
        check_memory(str(RELEASED), "auto", 2**20, None, GIB)
    check_memory(str(RELEASED), "auto", 2**20, 512, GIB)
