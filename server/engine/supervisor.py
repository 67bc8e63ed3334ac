"""An engine that is started anew when it dies; to those who call it, an engine."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import Generic, Literal, Protocol, TypeVar

from decoding.engine import Engine
from decoding.types import Chunk, Grammar, Sampling
from server.engine.adapters import Adapter
from server.engine.images import Image
from server.engine.preflight import CannotStart
from server.engine.served import ServedEngine
from server.errors import EngineUnavailable

logger = logging.getLogger(__name__)

Condition = Literal["ready", "restarting", "draining", "stopped"]

POLL = 0.25
"""Seconds between looks at an engine. A look is one attribute; calls find a dead engine at once."""

PROVEN = 60.0
"""Seconds of life after which an engine's death is the first again."""

LONGEST = 30.0
"""Seconds between two attempts to start, at most."""


class Mortal(ServedEngine, Protocol):
    """An engine that may die."""

    def death(self) -> str | None:
        """What it died of; None while it lives."""
        ...

    async def stop(self) -> None:
        """Ends it, if it has not ended, with all that it left. Its calls raise.

        It is dead then, and may be stopped again.
        """
        ...


Living = TypeVar("Living", bound=Mortal)


class Supervisor(Generic[Living]):
    """Create it in a running event loop, with an engine that was just started.

    start: starts another; raises CannotStart, and leaves nothing running then or when it is
    cancelled.
    """

    def __init__(
        self,
        engine: Living,
        start: Callable[[], Awaitable[Living]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.restarts = 0
        self._current = engine
        self._start, self._sleep, self._clock = start, sleep, clock
        self._ends: Literal["draining", "stopped"] | None = None
        self._watching = asyncio.create_task(self._watch())

    @property
    def condition(self) -> Condition:
        if self._ends is not None:
            return self._ends
        return "ready" if self._current.death() is None else "restarting"

    @property
    def engine(self) -> Living:
        """The one that runs now. Raises EngineUnavailable for none."""
        if self._current.death() is not None:
            raise EngineUnavailable("the engine has stopped")
        return self._current

    def generate(self, token_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Chunk, None]:
        # The engine's own generator: one of ours around it would cost every chunk a step.
        return self.engine.generate(token_ids, sampling)

    @property
    def sees(self) -> bool:
        return self._current.sees

    async def seeing(
        self, token_ids: Sequence[int], images: Sequence[Image]
    ) -> tuple[list[int], Engine]:
        return await self.engine.seeing(token_ids, images)

    def check_grammar(self, asked: Grammar) -> None:
        """Raises ValueError, with the reason, for what could not bind an answer."""
        self.engine.check_grammar(asked)

    def adapted(self, adapter: Adapter) -> ServedEngine:
        return Adapted(self, adapter)

    def drain(self) -> None:
        """From now on a dead engine stays dead, and the condition is "draining"."""
        if self._ends is None:
            self._ends = "draining"
        self._watching.cancel()

    async def close(self) -> None:
        """Ends the engine, or the attempt to start one, and all calls."""
        self._ends = "stopped"
        self._watching.cancel()
        await asyncio.wait([self._watching])
        await self._current.stop()

    async def _watch(self) -> None:
        delays = back_off()
        while True:
            since = self._clock()
            logger.error("the engine has died: %s", await self._death())
            if self._clock() - since >= PROVEN:
                delays = back_off()
            await self._replace(delays)

    async def _death(self) -> str:
        while (reason := self._current.death()) is None:
            await self._sleep(POLL)
        return reason

    async def _replace(self, delays: Iterator[float]) -> None:
        await self._current.stop()
        for delay in delays:
            logger.warning("the engine is started again in %g s", delay)
            await self._sleep(delay)
            try:
                self._current = await self._start()
            except CannotStart as error:
                logger.error("the engine does not start: %s", error)
            else:
                break
        self.restarts += 1
        logger.warning("the engine runs again")


class Adapted(Generic[Living]):
    """Whichever engine runs when it is called, with an adapter."""

    def __init__(self, supervisor: Supervisor[Living], adapter: Adapter) -> None:
        self._supervisor, self._adapter = supervisor, adapter

    @property
    def _engine(self) -> ServedEngine:
        return self._supervisor.engine.adapted(self._adapter)

    @property
    def sees(self) -> bool:
        return self._engine.sees

    async def seeing(
        self, token_ids: Sequence[int], images: Sequence[Image]
    ) -> tuple[list[int], Engine]:
        return await self._engine.seeing(token_ids, images)

    def check_grammar(self, asked: Grammar) -> None:
        self._engine.check_grammar(asked)

    def adapted(self, adapter: Adapter) -> ServedEngine:
        return Adapted(self._supervisor, adapter)

    def generate(self, token_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Chunk, None]:
        return self._engine.generate(token_ids, sampling)


def back_off() -> Iterator[float]:
    """Seconds before each attempt: 1, 2, 4 … 30, 30."""
    delay = 1.0
    while True:
        yield delay
        delay = min(2 * delay, LONGEST)
