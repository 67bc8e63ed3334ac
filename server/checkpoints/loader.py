"""Puts another version's weights into the running engine, or leaves it as it was."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from server.checkpoints.gate import Gate
from server.checkpoints.preflight import Fit
from server.engine.swapping import SwapFailed, Swapping
from server.errors import CheckpointRefused, EngineUnavailable
from training.registry import LATEST, Registry, RegistryError, Version

__all__ = ["LATEST", "Checkpoints", "Mode", "State", "Swap"]

log = logging.getLogger(__name__)

REMEMBERED = 1000
"""Loads: a trainer makes some every minute, for as long as a server lives."""

Mode = Literal["drain", "immediate"]
State = Literal["idle", "checking", "draining", "swapping", "proving"]


@dataclass(frozen=True, slots=True)
class Swap:
    """seconds: of the whole load; swapping: of these, in which the engine did nothing else."""

    version: str
    mode: Mode
    at: float
    seconds: float
    swapping: float
    failed: str | None = None


class Checkpoints:
    """What is served, what was, and how that changes: one load at a time.

    folder: of the weights that the engine started with; registry: of all that can be loaded, None
    for nothing. drain_seconds: for requests to end.
    """

    def __init__(
        self,
        engine: Swapping,
        gate: Gate,
        name: str,
        folder: Path,
        registry: Path | None,
        *,
        drain_seconds: float = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._gate = engine, gate
        self._registry = None if registry is None else Registry(registry)
        self._drain_seconds, self._clock = drain_seconds, clock
        self._lock = asyncio.Lock()
        self._first = folder
        self.version = _published(folder, self._registry)
        self._label = name
        self._fit: Fit | None = None
        self.state: State = "idle"
        self.history: deque[Swap] = deque(maxlen=REMEMBERED)
        self._earlier: deque[Version | None] = deque(maxlen=REMEMBERED)
        self._served = deque([self.fingerprint], maxlen=REMEMBERED)
        self._changes = 0

    @property
    def folder(self) -> Path:
        """What an engine that is started anew has to load."""
        return self.version.folder if self.version else self._first

    @property
    def fingerprint(self) -> str:
        """Names the weights that are served; the model's own name where no registry knows them."""
        return str(self.version) if self.version else self._label

    def witness(self) -> Callable[[], str]:
        """Begun with a request; tells at its end which weights wrote it, in order."""
        since = self._changes

        def told() -> str:
            """Of more changes than are remembered, the last ones."""
            served = list(self._served)[-1 - (self._changes - since) :]
            return "+".join(dict.fromkeys(served))

        return told

    def _serves(self, name: str) -> None:
        self._served.append(name)
        self._changes += 1

    def available(self) -> list[dict[str, Any]]:
        """By name: the versions, the oldest first, and what tags mean."""
        if self._registry is None:
            return []
        return [
            {
                "name": name,
                "versions": [version.id for version in self._registry.versions(name)],
                "tags": self._registry.tags(name),
            }
            for name in self._registry.names()
        ]

    async def load(self, name: str, version: str, mode: Mode) -> Swap:
        """Raises CheckpointRefused, with the old weights as they were, and EngineUnavailable."""
        if self._registry is None:
            raise CheckpointRefused(
                "this server has no registry: it was started without --registry"
            )
        async with self._lock:
            try:
                found = self._registry.resolve(name, version)
            except RegistryError as error:
                raise CheckpointRefused(str(error), "version") from error
            return await self._load(found, mode, back=False)

    async def rollback(self, mode: Mode) -> Swap:
        """To the version before this one. Raises CheckpointRefused where there was none."""
        async with self._lock:
            while self._earlier and (last := self._earlier[-1]) and not last.is_there:
                self._earlier.pop()  # the registry has dropped it since
            if not self._earlier or self._earlier[-1] is None:
                raise CheckpointRefused("there is no earlier version to go back to")
            return await self._load(self._earlier[-1], mode, back=True)

    async def _load(self, found: Version, mode: Mode, *, back: bool) -> Swap:
        began, clock = self._clock(), time.perf_counter()
        try:
            self.state = "checking"
            await asyncio.to_thread(self._check, found)
            if mode == "immediate":
                swapping = await self._swap(found)
            else:
                self.state = "draining"
                async with self._gate.closed(self._drain_seconds):
                    swapping = await self._swap(found)
        except (RegistryError, SwapFailed, TimeoutError) as error:
            why = str(error) or f"requests were still running after {self._drain_seconds:g} s"
            spent = time.perf_counter() - clock
            self.history.append(Swap(str(found), mode, began, spent, 0.0, why))
            log.warning("%s was not loaded: %s", found, why)
            raise CheckpointRefused(why) from error
        finally:
            self.state = "idle"
        if back:
            self._earlier.pop()
        else:
            self._earlier.append(self.version)
        self.version = found
        self._engine.keep(found.folder)
        done = Swap(str(found), mode, began, time.perf_counter() - clock, swapping)
        self.history.append(done)
        log.info("%s is served: %.3f s, %.3f s of them swapping", found, done.seconds, swapping)
        return done

    def _check(self, found: Version) -> None:
        """Raises RegistryError. What is served is read once: its folder may be gone later."""
        if self._fit is None:
            self._fit = Fit.of(self.folder)
        self._fit.check(found)

    async def _swap(self, found: Version) -> float:
        """Seconds in which the engine did nothing else. Whatever it raises, the old weights are
        back, or an engine with them is about to be started."""
        self.state, began = "swapping", time.perf_counter()
        try:
            await self._engine.pause()
            await self._engine.reload(found.folder)
            self._serves(str(found))
            await self._engine.resume()
            swapping = time.perf_counter() - began
            self.state = "proving"
            await self._engine.prove()
        except Exception:
            await self._restore()
            raise
        return swapping

    async def _restore(self) -> None:
        """Raises EngineUnavailable where the engine takes the old weights no more."""
        try:
            await self._engine.pause()
            await self._engine.reload(self.folder)
            await self._engine.resume()
        except Exception as error:  # whatever it was: an engine of unknown weights must not serve
            await self._engine.fail()
            raise EngineUnavailable("the engine has stopped") from error
        finally:
            self._serves(self.fingerprint)


def _published(folder: Path, registry: Registry | None) -> Version | None:
    """The version that a folder is, where the registry has it."""
    if registry is None:
        return None
    for name in registry.names():
        for version in registry.versions(name):
            if version.folder.resolve() == folder.resolve():
                return version
    return None
