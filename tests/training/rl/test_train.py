"""A stage from its base to its best version; killed anywhere, it takes the same course."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import END, RIGHT, WRONG, model, recipe
from tests.training.rollouts.fake import FakeServer
from training.rl import train
from training.rl.train import Stage
from training.rollouts.rollouts import Rollouts


class Killed(Exception):
    pass


class Rehearsed(Stage):
    """Its servers are fake; killed: raises after so many of its saves."""

    server: FakeServer
    killed: int | None = None

    @asynccontextmanager
    async def servers(self, drawer: Any) -> AsyncIterator[Rollouts]:
        self.server = FakeServer(self.draw)
        rollouts = Rollouts(["http://fake"], {}, at_once=8, transport=self.server.transport)
        try:
            yield rollouts
        finally:
            await rollouts.close()

    def draw(self, question: str, rng: random.Random) -> tuple[list[int], str]:
        """Right or wrong by chance, whatever the weights: what is learnt is told by the weights."""
        right = rng.random() < 0.5
        labels = {each.text: each.label for each in self.questions.some(0, 100)}
        labels |= {each.text: each.label for each in self.exam}
        stated = labels[question] if right else "x"
        return [RIGHT if right else WRONG, END], f"The answer is {stated}."

    def _save(self, *versions: Any) -> None:
        super()._save(*versions)
        if self.killed is not None:
            self.killed -= 1
            if self.killed == 0:
                raise Killed


def staged(folder: Path, killed: int | None = None, **more: Any) -> Rehearsed:
    made, only = recipe(steps=4, evaluate_every=2, **more)
    stage = Rehearsed(made, only, folder, model(), small_tokenizer())
    stage.killed = killed
    return stage


def rows(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    timed = ("seconds", "idle")
    return [{k: v for k, v in row.items() if not k.endswith(timed)} for row in found]


def saved(folder: Path) -> list[Path]:
    return list(folder.glob("resume-*"))


@pytest.mark.parametrize("more", [{}, {"overlap": False}, {"algorithm": "ppo", "value_warmup": 1}])
async def test_from_base_to_best(tmp_path: Path, more: dict[str, Any]) -> None:
    stage = staged(tmp_path, **more)
    await stage.run()
    log = rows(tmp_path)
    assert [row["step"] for row in log if "reward" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in log if "held_out" in row] == [0, 2, 4]
    best = stage.registry.resolve(stage.name, "best")
    for path in (tmp_path / "model").iterdir():
        assert path.read_bytes() == (best.folder / path.name).read_bytes()
    assert not saved(tmp_path)
    # Every version was loaded before anything was asked of it: the fake refuses nothing, but names
    # the version that it has, and another one would have been an error.
    assert len(stage.server.loads) == 5


@pytest.mark.parametrize(
    ("killed", "more"),
    [
        (1, {"algorithm": "ppo", "value_warmup": 1}),
        (3, {"overlap": False}),
        (3, {}),
        (4, {}),
    ],
)
async def test_killed_it_goes_on_to_the_same_weights(
    tmp_path: Path, killed: int, more: dict[str, Any]
) -> None:
    whole = staged(tmp_path / "whole", **more)
    await whole.run()
    with pytest.raises(Killed):
        await staged(tmp_path / "cut", killed, **more).run()
    assert saved(tmp_path / "cut")
    resumed = staged(tmp_path / "cut", **more)
    await resumed.run()
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    for name, tensor in whole.learner.model.state_dict().items():
        assert torch.equal(tensor, resumed.learner.model.state_dict()[name]), name


async def test_no_version_that_a_resumed_run_needs_is_dropped(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    await stage.run()
    kept = [version.id for version in stage.registry.versions(stage.name)]
    assert len(kept) <= train.KEPT + 2
    assert stage.registry.tags(stage.name)["best"] in kept
