"""Engines beside each other: names, one start at a time, and nothing left of what is given up."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, Counter

from server.config import Settings
from server.engine import engine_metrics
from server.engine.preflight import CannotStart
from server.serving import Fleet
from tests.checkpoints import checkpoint
from tests.server.serving import small_family
from tests.tokenizer import small_tokenizer


class Mute:
    """A tokenizer that cannot read back what it writes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(small_tokenizer(), name)

    def __len__(self) -> int:
        return len(small_tokenizer())

    def decode(self, *_: Any, **__: Any) -> str:
        return ""


class FakeEngine:
    sees = False
    max_model_len = 100
    turn_ends = small_family().turn_ends

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.stopped = tokenizer, False

    def death(self) -> str | None:
        return "it was stopped" if self.stopped else None

    async def stop(self) -> None:
        self.stopped = True


class Starts:
    """Of fake engines; the most at once are counted, and a name may be one that hangs or fails."""

    def __init__(self) -> None:
        self.engines: list[FakeEngine] = []
        self.running = self.most = 0
        self.began = asyncio.Event()

    async def __call__(self, settings: Settings) -> Any:
        self.running += 1
        self.most = max(self.most, self.running)
        self.began.set()
        try:
            await asyncio.sleep(0.01)
            name = Path(settings.model).name
            if name == "hangs":
                await asyncio.Event().wait()
            if name == "fails":
                engine_metrics.restore([])  # as vLLM does when it starts
                raise CannotStart("--model: no room")
            self.engines.append(FakeEngine(Mute() if name == "mute" else small_tokenizer()))
            return self.engines[-1]
        finally:
            self.running -= 1


async def begun(tmp_path: Path, starts: Starts) -> Fleet:
    fleet = Fleet(starts)
    await fleet.begin(Settings(model=str(checkpoint(tmp_path / "first"))))
    return fleet


async def test_a_model_keeps_its_name_whatever_is_loaded(tmp_path: Path) -> None:
    fleet = await begun(tmp_path, Starts())
    assert fleet.current.model().name == "first"
    fleet.current.keep(tmp_path / "second" / "v2")
    assert fleet.current.model().name == "first"
    beside = await fleet.beside(checkpoint(tmp_path / "third"))
    assert beside.model.name == "first"
    beside.take_over()
    assert fleet.current is beside.engine
    await fleet.close()


async def test_engines_start_one_at_a_time(tmp_path: Path) -> None:
    starts = Starts()
    fleet = await begun(tmp_path, starts)
    folders = [checkpoint(tmp_path / name) for name in ("a", "b", "c")]
    await asyncio.gather(*(fleet.beside(each) for each in folders))
    assert (len(starts.engines), starts.most) == (4, 1)
    await fleet.close()
    assert all(each.stopped for each in starts.engines)


async def test_nothing_is_left_of_an_engine_whose_tokenizer_is_none(tmp_path: Path) -> None:
    starts = Starts()
    fleet = await begun(tmp_path, starts)
    with pytest.raises(CannotStart, match="mute cannot be served: the tokenizer cannot write"):
        await fleet.beside(checkpoint(tmp_path / "mute"))
    assert [each.stopped for each in starts.engines] == [False, True]
    await fleet.close()


async def test_a_start_that_fails_leaves_the_metrics_of_the_engine_that_serves(
    tmp_path: Path,
) -> None:
    counter = Counter("vllm:of_a_test", "metrics of an engine")
    before = engine_metrics.registered()
    try:
        fleet = await begun(tmp_path, Starts())
        with pytest.raises(CannotStart, match="no room"):
            await fleet.beside(checkpoint(tmp_path / "fails"))
        assert counter in before
        assert engine_metrics.registered() == before
        await fleet.close()
    finally:
        REGISTRY.unregister(counter)


async def test_a_server_that_stops_ends_a_start(tmp_path: Path) -> None:
    starts = Starts()
    fleet = await begun(tmp_path, starts)
    starts.began.clear()
    starting = asyncio.create_task(fleet.beside(checkpoint(tmp_path / "hangs")))
    await starts.began.wait()
    await fleet.close()
    with pytest.raises(CannotStart, match="the server stops"):
        await starting
    assert starts.running == 0
    assert fleet.condition == "stopped"
