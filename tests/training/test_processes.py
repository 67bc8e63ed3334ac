"""Two processes, sharded by FSDP2, take the course of one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import model
from tests.training.shared_course import RECIPE, course
from training.loop import run_stage
from training.processes import Processes
from training.saves import LayoutError
from training.stages import Stage

Course = dict[str, list[dict[str, float]]]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return course(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, *TORCHRUN, "-m", "tests.training.shared_course", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    told: Course = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize(
    ("name", "steps", "closely"),
    [
        ("adam", 8, 1e-4),
        # Muon orthogonalises in bf16, which turns the order of a sum into another third digit.
        ("muon", 8, 5e-3),
        ("tuned", 4, 1e-4),
        ("grpo", 6, 1e-3),
        ("ppo", 6, 1e-3),
    ],
)
def test_two_are_as_one(one: Course, two: Course, name: str, steps: int, closely: float) -> None:
    assert len(one[name]) == len(two[name]) == steps
    for theirs, ours in zip(two[name], one[name], strict=True):
        assert theirs == pytest.approx(ours, rel=closely, abs=1e-5)


def test_pieces_that_processes_cannot_share_are_an_error(tmp_path: Path) -> None:
    stage = RECIPE.stages[0]
    assert isinstance(stage, Stage)
    three = Processes(0, 3, torch.device("cpu"))
    with pytest.raises(LayoutError, match="2 pieces are not shared evenly by 3 processes"):
        run_stage(
            *(RECIPE, stage, tmp_path, model(), small_tokenizer()),
            *(lambda _: pytest.fail("read"), lambda *_: 1.0),
            three,
        )
