"""What a tag means is loaded, once."""

import asyncio
from pathlib import Path

import pytest
import torch

from server.checkpoints.following import Follower, following
from tests.checkpoints import checkpoint
from tests.server.checkpoints.test_loader import Opened
from training.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        found.publish(checkpoint(tmp_path / f"model{seed}", {"a": torch.rand(3)}), "mini")
    return found


async def test_it_loads_what_the_tag_means_and_leaves_a_rollback_alone(registry: Registry) -> None:
    made = Opened(registry)
    follower = Follower(made.checkpoints, "mini", "stable")
    await follower.look()
    registry.tag("mini", "stable", "v1")
    await follower.look()
    assert made.engine.swaps == []
    registry.tag("mini", "stable", "v2")
    await follower.look()
    assert made.checkpoints.served == "mini/v2"
    await made.checkpoints.rollback("drain")
    await follower.look()
    assert made.checkpoints.served == "mini/v1"
    registry.tag("mini", "stable", "v3")
    await follower.look()
    assert made.checkpoints.served == "mini/v3"


async def test_a_version_that_was_refused_is_not_tried_again(registry: Registry) -> None:
    made = Opened(registry)
    made.engine.unreadable["v2"] = 1
    registry.tag("mini", "stable", "v2")
    follower = Follower(made.checkpoints, "mini", "stable")
    await follower.look()
    await follower.look()
    assert made.engine.swaps.count("v2") == 1
    assert made.checkpoints.served == "mini/v1"


async def test_what_only_took_too_long_is_tried_again(registry: Registry) -> None:
    made = Opened(registry, drain_seconds=0.01)
    registry.tag("mini", "stable", "v2")
    follower = Follower(made.checkpoints, "mini", "stable")
    await made.gate.enter()
    await follower.look()
    assert made.checkpoints.served == "mini/v1"
    made.gate.leave()
    await follower.look()
    assert made.checkpoints.served == "mini/v2"


async def test_an_engine_that_had_stopped_is_asked_again(registry: Registry) -> None:
    made = Opened(registry)
    made.engine.unreadable |= {"v1": 1, "v2": 1}
    registry.tag("mini", "stable", "v2")
    follower = Follower(made.checkpoints, "mini", "stable")
    await follower.look()
    assert made.engine.swaps[-1] == "fail"
    await follower.look()
    assert made.checkpoints.served == "mini/v2"


async def test_it_looks_again_and_again(registry: Registry) -> None:
    made, looked = Opened(registry), asyncio.Queue[float]()

    async def sleep(seconds: float) -> None:
        looked.put_nowait(seconds)
        await asyncio.sleep(0.001)

    async with following(made.checkpoints, "mini@stable", 7, sleep):
        assert await looked.get() == 7
        registry.tag("mini", "stable", "v2")
        while made.checkpoints.served != "mini/v2":
            await looked.get()
    left = looked.qsize()
    await asyncio.sleep(0.01)
    assert looked.qsize() == left
