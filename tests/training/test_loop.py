"""A run that is killed, at any moment, goes on to the same losses and the same weights."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.registry import Registry

STAGES = {"pretrain": "pretrain", "midtrain": "midtrain", "sft": "sft"}
STEPS = 40

RECIPE = """
name = "tiny"
[model]
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_size = 8
feed_forward = 16
[batches]
tokens = 640
lengths = [64, 640]
[run]
compile = false
threads = 1
save_every = 7
log_every = 1
""" + "".join(
    f"""
[[stages]]
name = "{name}"
kind = "{kind}"
tokens = {STEPS * 640}
matrix_learning_rate = 0.02
learning_rate = 0.01
warmup = 0.1
"""
    for name, kind in STAGES.items()
)


def losses(folder: Path) -> list[float]:
    path = folder / "log.jsonl"
    if not path.exists():
        return []
    return [json.loads(line)["loss"] for line in path.read_text().splitlines()]


def start(folder: Path) -> "subprocess.Popen[bytes]":
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE)
    command = [sys.executable, "-m", "training", str(recipe), "--out", str(folder)]
    command += ["--publish", "tiny", "--registry", str(folder / "registry"), "--tag", "stable"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(folder: Path) -> Path:
    process = start(folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return folder / "tiny-seed0"


def kill_in(folder: Path, stage: str, steps: int) -> None:
    """Start the run, and kill -9 it once a stage's log has that many records."""
    process = start(folder)
    log = folder / "tiny-seed0" / stage / "log.jsonl"
    deadline = time.monotonic() + 120
    while not log.exists() or log.read_bytes().count(b"\n") < steps:
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish(tmp_path_factory.mktemp("whole"))


def test_a_killed_run_resumes_to_the_same_curve(whole: Path, tmp_path: Path) -> None:
    kill_in(tmp_path, "pretrain", 3)
    kill_in(tmp_path, "midtrain", 10)
    resumed = finish(tmp_path)
    for stage in STAGES:
        assert losses(resumed / stage) == losses(whole / stage)
        assert len(losses(whole / stage)) == STEPS
    weights = Path("sft", "model", "model.safetensors")
    assert (resumed / weights).read_bytes() == (whole / weights).read_bytes()


def test_training_lowers_the_loss(whole: Path) -> None:
    first, last = losses(whole / "pretrain"), losses(whole / "midtrain")
    assert sum(last[-5:]) < 0.9 * sum(first[:5])


def test_what_is_left_is_an_ordinary_folder(whole: Path) -> None:
    left = {path.name for path in (whole / "sft").iterdir()}
    assert left == {"log.jsonl", "tensorboard", "curves.svg", "model"}
    names = {path.name for path in (whole / "sft" / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names


def test_what_is_published_says_where_it_came_from(whole: Path) -> None:
    version = Registry(whole.parent / "registry").resolve("tiny", "stable")
    version.verify()
    weights = (whole / "sft" / "model" / "model.safetensors").read_bytes()
    assert (version.folder / "model.safetensors").read_bytes() == weights
    lineage = version.manifest()["lineage"]
    assert lineage["recipe"]["name"] == "tiny"
    assert {name: end["step"] for name, end in lineage["stages"].items()} == dict.fromkeys(
        STAGES, STEPS
    )
