"""Other weights come in whole, or the old ones serve on."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from server.checkpoints.gate import Gate
from server.checkpoints.loader import Checkpoints
from server.config import Settings
from server.engine.model import Model
from server.errors import CheckpointRefused, EngineUnavailable
from server.models import Models
from tests.checkpoints import CONFIG, checkpoint
from tests.scripted import ScriptedEngine
from tests.server.engines import ScriptedEngines
from tests.server.serving import saying, small_family
from tests.tokenizer import small_tokenizer
from training.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        weights = {"a": torch.rand(2, 3), "b": torch.rand(4)}
        found.publish(checkpoint(tmp_path / f"model{seed}", weights), "mini")
    return found


@dataclass
class Opened:
    """Checkpoints, and what they change."""

    registry: Registry
    other: ScriptedEngine | None = None
    drain_seconds: float = 600
    started: Path | None = None

    def __post_init__(self) -> None:
        folder = self.started or self.registry.resolve("mini", "v1").folder
        tokenizer = small_tokenizer()
        settings = Settings(model=str(folder), served_name="small")

        def model(engine: ScriptedEngine) -> Model:
            return Model(engine, tokenizer, small_family().turn_ends, 100, settings)

        self.engine, self.gate = saying(), Gate()
        self.models = Models(model(self.engine))
        self.engines = ScriptedEngines(self.engine, self.other, model)
        self.checkpoints = Checkpoints(
            self.engines,
            self.models,
            self.gate,
            folder,
            self.registry.root,
            drain_seconds=self.drain_seconds,
        )


def opened(registry: Registry) -> tuple[Checkpoints, ScriptedEngine, Gate]:
    found = Opened(registry)
    return found.checkpoints, found.engine, found.gate


async def test_load_and_back(registry: Registry) -> None:
    checkpoints, engine, gate = opened(registry)
    assert checkpoints.served == "mini/v1"
    done = await checkpoints.load("mini", "v2", "drain")
    assert (done.version, done.failed) == ("mini/v2", None)
    assert engine.swaps == ["pause", "v2", "resume", "prove"]
    assert checkpoints.served == "mini/v2"
    assert engine.kept == registry.resolve("mini", "v2").folder
    await checkpoints.load("mini", "latest", "immediate")
    await checkpoints.rollback("drain")
    assert checkpoints.served == "mini/v2"
    await checkpoints.rollback("drain")
    assert checkpoints.served == "mini/v1"
    with pytest.raises(CheckpointRefused, match="no earlier version"):
        await checkpoints.rollback("drain")
    assert gate.is_open


async def test_back_to_a_folder_that_no_registry_has(registry: Registry, tmp_path: Path) -> None:
    made = Opened(registry, started=checkpoint(tmp_path / "own"))
    assert made.checkpoints.served == "small"
    await made.checkpoints.load("mini", "v1", "drain")
    back = await made.checkpoints.rollback("drain")
    assert back.version == made.checkpoints.served == "small"
    assert made.engine.swaps[-4:] == ["pause", "own", "resume", "prove"]
    await made.checkpoints.load("mini", "v1", "drain")
    shutil.rmtree(tmp_path / "own")
    with pytest.raises(CheckpointRefused, match="no earlier version"):
        await made.checkpoints.rollback("drain")


async def test_requests_inside_are_waited_for_and_know_their_weights(registry: Registry) -> None:
    made = Opened(registry)
    checkpoints, engine, gate = made.checkpoints, made.engine, made.gate
    await gate.enter()
    witness = made.models.served.weights.witness()
    loading = asyncio.create_task(checkpoints.load("mini", "v2", "drain"))
    while checkpoints.state != "draining":
        await asyncio.sleep(0.001)
    assert engine.swaps == []
    assert witness() == "mini/v1"
    gate.leave()
    await loading
    later = made.models.served.weights.witness()
    await gate.enter()
    await checkpoints.load("mini", "v3", "immediate")
    assert later() == "mini/v2+mini/v3"


async def test_weights_that_cannot_be_read(registry: Registry) -> None:
    checkpoints, engine, gate = opened(registry)
    engine.unreadable["v2"] = 1
    with pytest.raises(CheckpointRefused, match="cannot read these weights"):
        await checkpoints.load("mini", "v2", "drain")
    assert engine.swaps == ["pause", "v2", "pause", "v1", "resume"]
    assert (checkpoints.served, engine.kept, gate.is_open) == ("mini/v1", None, True)
    assert checkpoints.history[-1].failed is not None


async def test_weights_that_say_nothing(registry: Registry) -> None:
    checkpoints, engine, _ = opened(registry)
    engine.speechless = True
    with pytest.raises(CheckpointRefused, match="no probability"):
        await checkpoints.load("mini", "v2", "drain")
    assert engine.swaps == ["pause", "v2", "resume", "prove", "pause", "v1", "resume"]
    assert checkpoints.served == "mini/v1"


async def test_an_engine_that_takes_the_old_ones_no_more(registry: Registry) -> None:
    checkpoints, engine, gate = opened(registry)
    engine.unreadable |= {"v1": 1, "v2": 1}
    with pytest.raises(EngineUnavailable):
        await checkpoints.load("mini", "v2", "drain")
    assert engine.swaps[-1] == "fail"
    assert (checkpoints.served, checkpoints.state, gate.is_open) == ("mini/v1", "idle", True)


async def test_requests_that_do_not_end(registry: Registry) -> None:
    made = Opened(registry, drain_seconds=0.01)
    await made.gate.enter()
    with pytest.raises(CheckpointRefused, match=r"still running after 0\.01 s"):
        await made.checkpoints.load("mini", "v2", "drain")
    assert made.engine.swaps == []


async def test_an_engine_beside_takes_over_and_the_old_one_ends_with_its_last_request(
    registry: Registry, tmp_path: Path
) -> None:
    other = saying()
    made = Opened(registry, other)
    registry.publish(checkpoint(tmp_path / "wide", config={**CONFIG, "hidden_size": 8}), "wide")
    with pytest.raises(CheckpointRefused, match=r'hidden_size.*"engine": "new"'):
        await made.checkpoints.load("wide", "v1", "drain")
    before = made.models.served
    (uses,) = before.uses
    uses.begin()
    done = await made.checkpoints.load("wide", "v1", "drain", "new")
    assert (done.engine, done.swapping, other.swaps) == ("new", 0.0, ["prove"])
    assert made.models.served is not before
    assert (before.checkpoint, made.models.served.checkpoint) == ("mini/v1", "wide/v1")
    await asyncio.sleep(0.01)
    assert made.engine.swaps == []
    uses.end()
    await asyncio.sleep(0.01)
    assert made.engine.swaps == ["close"]
    await made.checkpoints.load("wide", "latest", "drain")
    assert other.swaps == ["prove", "pause", "v1", "resume", "prove"]


async def test_an_engine_beside_that_does_not_start_or_says_nothing(registry: Registry) -> None:
    made = Opened(registry)
    with pytest.raises(CheckpointRefused, match="no room for another engine"):
        await made.checkpoints.load("mini", "v2", "drain", "new")
    other = saying()
    other.speechless = True
    made = Opened(registry, other)
    with pytest.raises(CheckpointRefused, match="no probability"):
        await made.checkpoints.load("mini", "v2", "drain", "new")
    assert other.swaps == ["prove", "close"]
    assert made.engine.swaps == []
    assert made.checkpoints.served == "mini/v1"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("mini", "v9"), "no version 'v9'"),
        (("..", "v1"), "cannot be"),
        (("x", "latest"), "no check"),
    ],
)
async def test_what_is_not_there(registry: Registry, asked: Any, says: str) -> None:
    checkpoints, engine, _ = opened(registry)
    with pytest.raises(CheckpointRefused, match=says):
        await checkpoints.load(*asked, "drain")
    assert engine.swaps == []
