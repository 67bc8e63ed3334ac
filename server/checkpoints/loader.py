"""Puts another version's weights into the running engine, or leaves it as it was."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from server.checkpoints import preflight
from server.checkpoints.gate import Gate
from server.engine.swapping import SwapFailed, Swapping
from server.errors import CheckpointRefused, EngineUnavailable
from training.registry import LATEST, Registry, RegistryError, Version

__all__ = ["LATEST", "Checkpoints", "Mode", "State", "Swap"]

log = logging.getLogger(__name__)

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
        self.state: State = "idle"
        self.history: list[Swap] = []
        self._earlier: list[Version | None] = []
        self._served: list[str] = [self.fingerprint]

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
        since = len(self._served) - 1
        return lambda: "+".join(dict.fromkeys(self._served[since:]))

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
            if not self._earlier or self._earlier[-1] is None:
                raise CheckpointRefused("there is no earlier version to go back to")
            return await self._load(self._earlier[-1], mode, back=True)

    async def _load(self, found: Version, mode: Mode, *, back: bool) -> Swap:
        began, clock = self._clock(), time.perf_counter()
        try:
            self.state = "checking"
            await asyncio.to_thread(preflight.check, found, self.folder)
            if mode == "immediate":
                swapping = await self._swap(found)
            else:
                self.state = "draining"
                async with self._gate.closed(self._drain_seconds):
                    swapping = await self._swap(found)
        except (RegistryError, SwapFailed, TimeoutError) as error:
            why = str(error) or f"requests were still running after {self._drain_seconds:g} s"
            self.history.append(
                Swap(str(found), mode, began, time.perf_counter() - clock, 0.0, why)
            )
            log.warning("%s was not loaded: %s", found, why)
            raise CheckpointRefused(why) from error
        finally:
            self.state = "idle"
        earlier, self.version = self.version, found
        self._engine.keep(found.folder)
        self._served.append(self.fingerprint)
        if back:
            self._earlier.pop()
        else:
            self._earlier.append(earlier)
        done = Swap(str(found), mode, began, time.perf_counter() - clock, swapping)
        self.history.append(done)
        log.info("%s is served: %.3f s, %.3f s of them swapping", found, done.seconds, swapping)
        return done

    async def _swap(self, found: Version) -> float:
        """Seconds in which the engine did nothing else. Raises SwapFailed, with the old weights."""
        self.state, began = "swapping", time.perf_counter()
        await self._engine.pause()
        try:
            await self._engine.reload(found.folder)
        except SwapFailed:
            await self._restore()
            raise
        await self._engine.resume()
        swapping = time.perf_counter() - began
        self.state = "proving"
        try:
            await self._engine.prove()
        except SwapFailed:
            await self._engine.pause()
            await self._restore()
            raise
        return swapping

    async def _restore(self) -> None:
        """Of a paused engine. One that takes the old weights no more is dead, and is started anew
        with them by its supervisor."""
        try:
            await self._engine.reload(self.folder)
        except SwapFailed as error:
            raise EngineUnavailable("the engine has stopped") from error
        await self._engine.resume()


def _published(folder: Path, registry: Registry | None) -> Version | None:
    """The version that a folder is, where the registry has it."""
    if registry is None:
        return None
    for name in registry.names():
        for version in registry.versions(name):
            if version.folder.resolve() == folder.resolve():
                return version
    return None
