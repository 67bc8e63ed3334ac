"""An engine dies, and another is started."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from decoding.types import Chunk, Grammar, Sampling
from server.engine.preflight import CannotStart
from server.engine.supervisor import POLL, PROVEN, Supervisor
from server.errors import EngineUnavailable


class MortalEngine:
    """Says one token a call, and then nothing until it dies."""

    def __init__(self) -> None:
        self.dead = asyncio.Event()
        self.stopped = False

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        yield Chunk((1,), "a")
        await self.dead.wait()
        raise EngineUnavailable("the engine has stopped")

    def check_grammar(self, asked: Grammar) -> None:
        raise ValueError("no grammars")

    def death(self) -> str | None:
        return "it was killed" if self.dead.is_set() else None

    async def stop(self) -> None:
        self.dead.set()
        self.stopped = True


class Factory:
    """Starts engines, but for the first `failures` times; never ends a start if it `hangs`."""

    def __init__(self, failures: int = 0, *, hangs: bool = False) -> None:
        self.engines = [MortalEngine()]
        self.failures, self.hangs = failures, hangs
        self.starting = asyncio.Event()
        self.cancelled = False

    async def start(self) -> MortalEngine:
        self.starting.set()
        if self.failures:
            self.failures -= 1
            raise CannotStart("--model: no")
        try:
            if self.hangs:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        self.engines.append(MortalEngine())
        return self.engines[-1]


class Hours:
    """Time that passes in sleep alone, and at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delays: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if seconds != POLL:
            self.delays.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def supervised(factory: Factory, hours: Hours) -> AsyncIterator[Supervisor[MortalEngine]]:
    supervisor = Supervisor(
        factory.engines[0], factory.start, sleep=hours.sleep, clock=lambda: hours.now
    )
    try:
        yield supervisor
    finally:
        await supervisor.close()


async def until_restarts(supervisor: Supervisor[MortalEngine], count: int) -> None:
    async with asyncio.timeout(5):
        while supervisor.restarts < count:
            await asyncio.sleep(0)


async def test_a_call_in_flight_fails_and_the_next_engine_serves() -> None:
    factory = Factory()
    async with supervised(factory, Hours()) as supervisor:
        call = supervisor.generate([1], Sampling(8))
        assert (await anext(call)).text == "a"
        factory.engines[0].dead.set()
        assert supervisor.condition == "restarting"
        with pytest.raises(EngineUnavailable):
            await anext(call)
        with pytest.raises(EngineUnavailable):
            supervisor.generate([1], Sampling(8))
        await until_restarts(supervisor, 1)
        assert supervisor.condition == "ready"
        assert factory.engines[0].stopped
        assert (await anext(supervisor.generate([1], Sampling(8)))).text == "a"


async def test_grammars_are_the_engines_to_check() -> None:
    factory = Factory()
    async with supervised(factory, Hours()) as supervisor:
        with pytest.raises(ValueError, match="no grammars"):
            supervisor.check_grammar(Grammar("json", "{}"))


async def test_a_start_that_fails_is_tried_again_ever_later() -> None:
    factory, hours = Factory(failures=7), Hours()
    async with supervised(factory, hours) as supervisor:
        factory.engines[0].dead.set()
        await until_restarts(supervisor, 1)
    assert hours.delays == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_deaths_that_follow_each_other_add_up_and_a_minute_of_life_clears_them() -> None:
    factory, hours = Factory(), Hours()
    async with supervised(factory, hours) as supervisor:
        for number in range(3):
            factory.engines[number].dead.set()
            await until_restarts(supervisor, number + 1)
        assert hours.delays == [1, 2, 4]
        began = hours.now
        while hours.now < began + PROVEN:
            await asyncio.sleep(0)
        factory.engines[3].dead.set()
        await until_restarts(supervisor, 4)
    assert hours.delays == [1, 2, 4, 1]


async def test_closing_ends_the_engine_and_its_calls() -> None:
    factory = Factory()
    async with supervised(factory, Hours()) as supervisor:
        call = supervisor.generate([1], Sampling(8))
        await anext(call)
        await supervisor.close()
        with pytest.raises(EngineUnavailable):
            await anext(call)
    assert factory.engines[0].stopped
    assert supervisor.condition == "stopped"


async def test_closing_during_a_restart_leaves_nothing_running() -> None:
    factory = Factory(hangs=True)
    async with supervised(factory, Hours()):
        factory.engines[0].dead.set()
        await factory.starting.wait()
    assert factory.cancelled
    assert [engine.stopped for engine in factory.engines] == [True]


async def test_an_engine_that_dies_while_it_drains_stays_dead() -> None:
    factory = Factory()
    async with supervised(factory, Hours()) as supervisor:
        supervisor.drain()
        call = supervisor.generate([1], Sampling(8))
        assert (await anext(call)).text == "a"
        assert supervisor.condition == "draining"
        factory.engines[0].dead.set()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not factory.starting.is_set()
