"""Other weights come in whole, or the old ones serve on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch

from server.checkpoints.gate import Gate
from server.checkpoints.loader import Checkpoints
from server.errors import CheckpointRefused, EngineUnavailable
from tests.checkpoints import checkpoint
from tests.scripted import BIDE, ScriptedEngine, spoken
from training.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        weights = {"a": torch.rand(2, 3), "b": torch.rand(4)}
        found.publish(checkpoint(tmp_path / f"model{seed}", weights), "mini")
    return found


def opened(registry: Registry) -> tuple[Checkpoints, ScriptedEngine, Gate]:
    engine, gate = ScriptedEngine(BIDE, spoken(BIDE.codec)), Gate()
    folder = registry.resolve("mini", "v1").folder
    return Checkpoints(engine, gate, "small", folder, registry.root), engine, gate


async def test_load_and_back(registry: Registry) -> None:
    checkpoints, engine, gate = opened(registry)
    assert checkpoints.fingerprint == "mini/v1"
    done = await checkpoints.load("mini", "v2", "drain")
    assert (done.version, done.failed) == ("mini/v2", None)
    assert engine.swaps == ["pause", "v2", "resume", "prove"]
    assert checkpoints.fingerprint == "mini/v2"
    assert engine.kept == registry.resolve("mini", "v2").folder
    await checkpoints.load("mini", "latest", "immediate")
    await checkpoints.rollback("drain")
    assert checkpoints.fingerprint == "mini/v2"
    await checkpoints.rollback("drain")
    assert checkpoints.fingerprint == "mini/v1"
    with pytest.raises(CheckpointRefused, match="no earlier version"):
        await checkpoints.rollback("drain")
    assert gate.is_open


async def test_requests_inside_are_waited_for_and_know_their_weights(registry: Registry) -> None:
    checkpoints, engine, gate = opened(registry)
    await gate.enter()
    witness = checkpoints.witness()
    loading = asyncio.create_task(checkpoints.load("mini", "v2", "drain"))
    while checkpoints.state != "draining":
        await asyncio.sleep(0.001)
    assert engine.swaps == []
    assert witness() == "mini/v1"
    gate.leave()
    await loading
    later = checkpoints.witness()
    await gate.enter()
    await checkpoints.load("mini", "v3", "immediate")
    assert later() == "mini/v2+mini/v3"


async def test_weights_that_cannot_be_read(registry: Registry) -> None:
    checkpoints, engine, gate = opened(registry)
    engine.unreadable["v2"] = 1
    with pytest.raises(CheckpointRefused, match="cannot read these weights"):
        await checkpoints.load("mini", "v2", "drain")
    assert engine.swaps == ["pause", "v2", "pause", "v1", "resume"]
    assert (checkpoints.fingerprint, engine.kept, gate.is_open) == ("mini/v1", None, True)
    assert checkpoints.history[-1].failed is not None


async def test_weights_that_say_nothing(registry: Registry) -> None:
    checkpoints, engine, _ = opened(registry)
    engine.speechless = True
    with pytest.raises(CheckpointRefused, match="no probability"):
        await checkpoints.load("mini", "v2", "drain")
    assert engine.swaps == ["pause", "v2", "resume", "prove", "pause", "v1", "resume"]
    assert checkpoints.fingerprint == "mini/v1"


async def test_an_engine_that_takes_the_old_ones_no_more(registry: Registry) -> None:
    checkpoints, engine, gate = opened(registry)
    engine.unreadable |= {"v1": 1, "v2": 1}
    with pytest.raises(EngineUnavailable):
        await checkpoints.load("mini", "v2", "drain")
    assert engine.swaps[-1] == "fail"
    assert (checkpoints.fingerprint, checkpoints.state, gate.is_open) == ("mini/v1", "idle", True)


async def test_requests_that_do_not_end(registry: Registry) -> None:
    engine, gate = ScriptedEngine(BIDE, spoken(BIDE.codec)), Gate()
    folder = registry.resolve("mini", "v1").folder
    checkpoints = Checkpoints(engine, gate, "small", folder, registry.root, drain_seconds=0.01)
    await gate.enter()
    with pytest.raises(CheckpointRefused, match=r"still running after 0\.01 s"):
        await checkpoints.load("mini", "v2", "drain")
    assert engine.swaps == []


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
