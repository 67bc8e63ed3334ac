"""A run that is killed goes on to the same losses."""

import json
from pathlib import Path

import pytest

from training import loop
from training.config import Batches, ModelShape, Recipe, Run, Stage
from training.pipeline import run

SHAPE = ModelShape(hidden_size=16, layers=1, heads=2, kv_heads=1, head_size=8, feed_forward=16)
LENGTHS = (64, 640)


def recipe() -> Recipe:
    stages = tuple(
        Stage(
            name=name,
            kind=kind,
            tokens=12 * 640,
            matrix_learning_rate=0.02,
            learning_rate=0.01,
            warmup=0.1,
        )
        for name, kind in (("pretrain", "pretrain"), ("midtrain", "midtrain"), ("sft", "sft"))
    )
    return Recipe(
        name="tiny",
        model=SHAPE,
        batches=Batches(tokens=640, lengths=LENGTHS),
        run=Run(compile=False, save_every=4, log_every=1, threads=1),
        stages=stages,
    )


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


class Killed(BaseException):
    """As a signal would: no handler of errors sees it."""


def test_a_killed_run_resumes_to_the_same_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(recipe(), tmp_path / "whole")
    steps = iter(range(1000))
    step = loop.take_step

    def killed(*arguments: object) -> float:
        if next(steps) in (6, 10, 23):
            raise Killed
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "take_step", killed)
    for _ in range(3):
        with pytest.raises(Killed):
            run(recipe(), tmp_path / "killed")
    model = run(recipe(), tmp_path / "killed")
    for stage in ("pretrain", "midtrain", "sft"):
        assert losses(tmp_path / "killed" / stage) == losses(tmp_path / "whole" / stage)
        assert len(losses(tmp_path / "whole" / stage)) == 12
    weights = (model / "model.safetensors").read_bytes()
    assert weights == (tmp_path / "whole" / "sft" / "model" / "model.safetensors").read_bytes()


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    run(recipe(), tmp_path)
    first, last = losses(tmp_path / "pretrain"), losses(tmp_path / "midtrain")
    assert sum(last[-3:]) < 0.9 * sum(first[:3])
