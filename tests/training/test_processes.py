"""Two processes, sharded by FSDP2, take the course of one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RECIPE = """
name = "shared"
[model]
hidden_size = 16
layers = 2
heads = 2
kv_heads = 1
head_size = 8
feed_forward = 16
[batches]
tokens = 640
lengths = [64, 640]
pieces = 2
[run]
compile = false
threads = 1
save_every = 3
log_every = 1
[[stages]]
name = "adam"
kind = "pretrain"
tokens = 10240
learning_rate = 0.01
warmup = 0.1
[[stages]]
name = "muon"
kind = "sft"
tokens = 10240
matrix_learning_rate = 0.02
learning_rate = 0.01
"""


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def train(folder: Path, processes: int, recipe: str = RECIPE) -> "subprocess.CompletedProcess[str]":
    folder.mkdir(exist_ok=True)
    (folder / "shared.toml").write_text(recipe)
    command = [sys.executable, *(TORCHRUN if processes > 1 else [])]
    command += ["-m", "training", str(folder / "shared.toml"), "--out", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def course(folder: Path, stage: str) -> list[dict[str, float]]:
    log = folder / "shared-seed0" / stage / "log.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [{name: row[name] for name in ("step", "tokens", "documents", "loss")} for row in rows]


def test_two_processes_are_as_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, processes in ((one, 1), (two, 2)):
        done = train(folder, processes)
        assert done.returncode == 0, done.stderr
    adam, muon = course(one, "adam"), course(one, "muon")
    assert len(adam) == len(muon) == 8
    for theirs, ours in zip(course(two, "adam"), adam, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-4)
    # Muon orthogonalises in bf16, which turns the order of a sum into another third digit.
    for theirs, ours in zip(course(two, "muon"), muon, strict=True):
        assert theirs == pytest.approx(ours, rel=5e-3)


def test_pieces_that_processes_cannot_share_are_an_error(tmp_path: Path) -> None:
    done = train(tmp_path, 2, RECIPE.replace("pieces = 2", "pieces = 3"))
    assert done.returncode != 0
    assert "batches.pieces: 3 pieces are not shared evenly by 2 processes" in done.stderr


def test_a_learner_of_two_processes_learns_as_one(tmp_path: Path) -> None:
    """GRPO with a KL and PPO with values, saved and restored on the way."""
    told = []
    for processes in (1, 2):
        command = [sys.executable, *(TORCHRUN if processes > 1 else [])]
        command += ["-m", "tests.training.rl.shared_learner", str(tmp_path / str(processes))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout.splitlines()[-1]))
    one, two = told
    assert len(one) == 12
    for theirs, ours in zip(two, one, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-3, abs=1e-5)
