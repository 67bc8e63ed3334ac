"""Killed with -9 at random moments of any stage, a run goes on to the same losses and weights.

BIDE_KILLS=10 kills that often in each stage; by default once, in one of them.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import END, RIGHT, WRONG, model
from tests.training.rollouts.fake import FakeServer, listening
from training.config import load_recipe
from training.pipeline import run

COMMON = """
learning_rate = 1e-3
batch = 4
micro_batch = 2
longest = 64
save_every = 2
"""
STAGES = {
    "world": (
        'kind = "sft"\ntokens = 25600\nlearning_rate = 0.01\nmatrix_learning_rate = 0.02',
        "",
    ),
    "texts": ('kind = "pretrain"\ntokens = 6400\ndata = "DATA/texts.jsonl"', COMMON),
    "tuned": ('kind = "sft"\nepochs = 8\ndata = "DATA/turns.jsonl"', COMMON),
    "judge": ('kind = "reward-model"\nepochs = 8\npairs = "DATA/pairs.jsonl"', COMMON),
    "dpo": ('kind = "dpo"\nepochs = 8\npairs = "DATA/pairs.jsonl"', COMMON),
    "rlvr": (
        """kind = "rlvr"
steps = 8
task = "DATA/questions.jsonl"
learning_rate = 1e-3
prompts = 2
group = 4
max_tokens = 8
held_out = 4
evaluate_every = 3""",
        'servers = ["SERVER"]\nregistry = "DATA/registry"',
    ),
}
RECIPE = """
name = "killed"
base = "DATA/base"
[batches]
tokens = 640
lengths = [64, 640]
[run]
compile = false
threads = 1
save_every = 7
log_every = 1
""" + "".join(
    f'[[stages]]\nname = "{name}"\n{own}\n{common}\n' for name, (own, common) in STAGES.items()
)
pytestmark = [
    pytest.mark.filterwarnings("ignore:TRL currently supports vLLM:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]
OFTEN = os.environ.get("BIDE_KILLS")


def draw(question: str, rng: random.Random) -> tuple[list[int], str]:
    """Right or wrong by chance."""
    number = int(question.partition("+")[0])
    right = rng.random() < 0.5
    return [RIGHT if right else WRONG, END], f"The answer is {number + 1 if right else 'x'}."


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    model(0).save_pretrained(folder / "base")
    small_tokenizer().save_pretrained(folder / "base")
    turns = [{"question": f"{n}+1?", "answer": str(n + 1)} for n in range(12)]
    pairs = [
        {"prompt": f"{n}+1?", "chosen": str(n + 1), "rejected": "?" * (n + 1)} for n in range(12)
    ]
    texts = [{"text": f"{n} and one more is {n + 1}."} for n in range(12)]
    questions = [{"question": f"{n}+1?", "answer": n + 1} for n in range(64)]
    all_rows = {"turns": turns, "pairs": pairs, "texts": texts, "questions": questions}
    for name, rows in all_rows.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines)
    with listening(FakeServer(draw)) as url:
        text = RECIPE.replace("DATA", str(folder)).replace("SERVER", url)
        (folder / "killed.toml").write_text(text)
        yield folder


def start(data: Path, out: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "training", str(data / "killed.toml"), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(data: Path, out: Path) -> Path:
    recipe = load_recipe(data / "killed.toml")
    run(recipe, out / "killed-seed0", data / "base", say=lambda _: None)
    return out / "killed-seed0"


def kill_in(data: Path, out: Path, stage: str, rng: random.Random) -> None:
    """Once the stage has begun, after up to a second: in a step, in a save, in what comes after."""
    process = start(data, out)
    home, deadline = out / "killed-seed0" / stage, time.monotonic() + 200
    while process.poll() is None and not home.exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 1))
    process.kill()
    process.wait()


def losses(folder: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish(data, tmp_path_factory.mktemp("whole") / "run")


def test_a_killed_run_takes_the_same_course(data: Path, whole: Path, tmp_path: Path) -> None:
    rng = random.Random(time.time_ns() if OFTEN else 0)
    kills = {name: int(OFTEN) for name in STAGES} if OFTEN else {"dpo": 1}
    for stage, times in kills.items():
        for _ in range(times):
            kill_in(data, tmp_path / "run", stage, rng)
    resumed = finish(data, tmp_path / "run")
    for stage in STAGES:
        (steps, figures), (expected_steps, expected) = (
            zip(*losses(folder / stage), strict=True) for folder in (resumed, whole)
        )
        assert steps == expected_steps, stage
        assert figures == pytest.approx(expected, rel=1e-5), stage
        found, wanted = (
            load_file(folder / stage / "model" / "model.safetensors") for folder in (resumed, whole)
        )
        for name, tensor in wanted.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-6)
