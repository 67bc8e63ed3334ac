"""Puts another version's weights into the running engine, or an engine with them beside it; or
leaves all as it was."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from server.checkpoints.gate import Gate
from server.checkpoints.preflight import Fit, check_alone
from server.engine.preflight import CannotStart
from server.engine.swapping import Engines, SwapFailed, Swapping
from server.engine.weights import REMEMBERED
from server.errors import CheckpointRefused, EngineUnavailable
from server.models import Models
from server.uses import Uses
from training.registry import LATEST, Registry, RegistryError, Version, check_folder

__all__ = ["LATEST", "Checkpoints", "Mode", "State", "Swap", "Where"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Mode = Literal["drain", "immediate"]
Where = Literal["same", "new"]
"""Which engine the weights go into."""

State = Literal["idle", "checking", "draining", "swapping", "starting", "proving"]


@dataclass(frozen=True, slots=True)
class Swap:
    """seconds: of the whole load; swapping: of these, in which the engine did nothing else."""

    version: str
    mode: Mode
    at: float
    seconds: float
    swapping: float
    failed: str | None = None
    engine: Where = "same"


@dataclass(frozen=True, slots=True)
class Unpublished(Version):
    """The folder that a server was started with, where no registry has it."""

    def __str__(self) -> str:
        return self.name

    @property
    def is_there(self) -> bool:
        return (self.folder / "config.json").is_file()

    def verify(self) -> None:
        """There are no hashes to compare with. Raises RegistryError for what could run code."""
        check_folder(self.folder)


class Checkpoints:
    """What is served, what was, and how that changes: one change at a time.

    folder: of the weights that the engine started with; registry: of all that can be loaded, None
    for nothing. drain_seconds: for requests to end.
    """

    def __init__(
        self,
        engines: Engines,
        models: Models,
        gate: Gate,
        folder: Path,
        registry: Path | None,
        *,
        drain_seconds: float = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engines, self._models, self._gate = engines, models, gate
        self.registry = None if registry is None else Registry(registry)
        self._drain_seconds, self._clock = drain_seconds, clock
        self._lock = asyncio.Lock()
        started = Unpublished(models.served.name, "", folder)
        self.version = _published(folder, self.registry) or started
        models.served.weights.become(str(self.version))
        self._fit: Fit | None = None
        self._state: State = "idle"
        self._watchers: set[asyncio.Queue[State]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.history: deque[Swap] = deque(maxlen=REMEMBERED)
        self._earlier: deque[Version] = deque(maxlen=REMEMBERED)

    @property
    def state(self) -> State:
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state
        for queue in self._watchers:
            queue.put_nowait(state)

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[asyncio.Queue[State], None]:
        """States, as they are entered."""
        queue = asyncio.Queue[State]()
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def kept(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """As a task that goes on whoever waits for it, or does no more."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def folder(self) -> Path:
        """What an engine that is started anew has to load."""
        return self.version.folder

    @property
    def served(self) -> str:
        """Names the weights; the model's own name where no registry knows them."""
        return self._models.served.weights.name

    def available(self) -> list[dict[str, Any]]:
        """By name: the versions, the oldest first, and what tags mean."""
        if self.registry is None:
            return []
        return [
            {
                "name": name,
                "versions": [version.id for version in self.registry.versions(name)],
                "tags": self.registry.tags(name),
            }
            for name in self.registry.names()
        ]

    def found(self, name: str, version: str) -> Version:
        """Raises CheckpointRefused."""
        if self.registry is None:
            raise CheckpointRefused(
                "this server has no registry: it was started without --registry"
            )
        try:
            return self.registry.resolve(name, version)
        except RegistryError as error:
            raise CheckpointRefused(str(error), "version") from error
        except OSError as error:
            raise CheckpointRefused(unreadable(name, error), "version") from error

    @asynccontextmanager
    async def still(self) -> AsyncGenerator[Swapping, None]:
        """The engine, and nothing is loaded into it or beside it meanwhile."""
        async with self._lock:
            yield self._engines.current

    async def fit(self) -> Fit:
        """Raises RegistryError. What is served is read once: its folder may be gone later."""
        if self._fit is None:
            self._fit = await asyncio.to_thread(Fit.of, self.folder)
        return self._fit

    async def load(self, name: str, version: str, mode: Mode, engine: Where = "same") -> Swap:
        """Raises CheckpointRefused, with the old weights as they were, and EngineUnavailable."""
        async with self._lock:
            found = self.found(name, version)
            return await self._load(found, mode, engine, back=False)

    async def rollback(self, mode: Mode, engine: Where = "same") -> Swap:
        """To the version before this one. Raises CheckpointRefused where there was none."""
        async with self._lock:
            while self._earlier and not self._earlier[-1].is_there:
                self._earlier.pop()  # the registry has dropped it since
            if not self._earlier:
                raise CheckpointRefused("there is no earlier version to go back to")
            return await self._load(self._earlier[-1], mode, engine, back=True)

    async def _load(self, found: Version, mode: Mode, engine: Where, *, back: bool) -> Swap:
        began, clock = self._clock(), time.perf_counter()
        try:
            if engine == "new":
                swapping = await self._beside(found)
            else:
                swapping = await self._in_place(found, mode)
        except (CannotStart, OSError, RegistryError, SwapFailed) as error:
            why = self._why(found, error)
            spent = time.perf_counter() - clock
            self.history.append(Swap(str(found), mode, began, spent, 0.0, why, engine))
            log.warning("%s was not loaded: %s", found, why)
            raise CheckpointRefused(why) from error
        finally:
            self.state = "idle"
        if back:
            self._earlier.pop()
        else:
            self._earlier.append(self.version)
        self.version = found
        seconds = time.perf_counter() - clock
        done = Swap(str(found), mode, began, seconds, swapping, engine=engine)
        self.history.append(done)
        log.info("%s is served: %.3f s, %.3f s of them swapping", found, done.seconds, swapping)
        return done

    def _why(self, found: Version, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"requests were still running after {self._drain_seconds:g} s"
        return unreadable(found, error) if isinstance(error, OSError) else str(error)

    async def _in_place(self, found: Version, mode: Mode) -> float:
        """Seconds in which the engine did nothing else."""
        self.state = "checking"
        fit = await self.fit()
        await asyncio.to_thread(fit.check, found)
        if mode == "immediate":
            return await self._swap(found)
        self.state = "draining"
        async with self._gate.closed(self._drain_seconds):
            return await self._swap(found)

    async def _swap(self, found: Version) -> float:
        """Seconds in which the engine did nothing else. Whatever it raises, the old weights are
        back, or an engine with them is about to be started."""
        self.state, began = "swapping", time.perf_counter()
        engine, weights = self._engines.current, self._models.served.weights
        try:
            await engine.pause()
            await engine.reload(found.folder)
            weights.become(str(found))
            await engine.resume()
            swapping = time.perf_counter() - began
            self.state = "proving"
            await engine.prove()
        except Exception:
            await self._restore()
            raise
        engine.keep(found.folder)
        return swapping

    async def _restore(self) -> None:
        """Raises EngineUnavailable where the engine takes the old weights no more."""
        engine, weights = self._engines.current, self._models.served.weights
        try:
            await engine.pause()
            await engine.reload(self.folder)
            await engine.resume()
        except Exception as error:  # whatever it was: an engine of unknown weights must not serve
            await engine.fail()
            raise EngineUnavailable("the engine has stopped") from error
        finally:
            weights.become(str(self.version))

    async def _beside(self, found: Version) -> float:
        """No engine stands still: requests that come later go to the new one, and the old one ends
        with its last request."""
        if self._models.adapters:
            loaded = ", ".join(map(str, self._models.adapters))
            raise SwapFailed(f"adapters are loaded ({loaded}), and would not fit another engine")
        self.state = "checking"
        fit = await asyncio.to_thread(check_alone, found)
        self.state = "starting"
        beside = await self._engines.beside(found.folder)
        try:
            self.state = "proving"
            await beside.engine.prove()
        except EngineUnavailable as error:
            await beside.give_up()
            raise SwapFailed(f"{found}: its engine ended before it could serve") from error
        except BaseException:
            await beside.give_up()
            raise
        beside.model.weights.become(str(found))
        old, left = self._engines.current, self._models.served
        beside.take_over()
        self._models.served, self._fit = beside.model, fit
        self.kept(self._end(old, left.uses))
        return 0.0

    async def _end(self, engine: Swapping, uses: Iterable[Uses]) -> None:
        for each in uses:
            await each.none()
        await engine.close()
        log.info("the engine before has answered its last request, and ended")


def unreadable(what: object, error: OSError) -> str:
    """Without the path: that is the operator's to know, and in the log."""
    log.error("%s cannot be read: %s", what, error)
    return f"{what} cannot be read: {error.strerror}"


def _published(folder: Path, registry: Registry | None) -> Version | None:
    """The version that a folder is, where the registry has it."""
    if registry is None:
        return None
    for name in registry.names():
        for version in registry.versions(name):
            if version.folder.resolve() == folder.resolve():
                return version
    return None
