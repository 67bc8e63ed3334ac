"""Adapters come and go while the model is served: nobody waits, and who has one keeps it."""

import asyncio
import itertools
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from server.checkpoints.adapter_preflight import check_adapter
from server.checkpoints.loader import Checkpoints, unreadable
from server.config import Settings
from server.engine.adapters import FIRST, Adapter
from server.engine.model import Model
from server.engine.swapping import SwapFailed
from server.errors import CheckpointRefused
from server.models import Models
from training.registry import RegistryError

log = logging.getLogger(__name__)


class Adapters:
    """They are copied out of the registry: an engine reads one again whenever it has forgotten it,
    and would end where the folder is gone."""

    def __init__(self, checkpoints: Checkpoints, models: Models, settings: Settings) -> None:
        self._checkpoints, self._models = checkpoints, models
        self._most, self._rank = settings.max_adapters, settings.max_adapter_rank
        self._numbers = itertools.count(FIRST)
        self._ending: dict[Adapter, asyncio.Task[None]] = {}
        self._scratch: TemporaryDirectory[str] | None = None

    @property
    def held(self) -> list[Adapter]:
        """Those that requests may name, and those that some requests still have."""
        return [*self._models.adapters, *self._ending]

    def listed(self) -> list[dict[str, Any]]:
        base = self._models.served.name
        return [
            {"name": each.name, "version": each.version, "model": f"{base}:{each}"}
            for each in self._models.adapters
        ]

    async def load(self, name: str, version: str) -> Model:
        """The model with the adapter. Raises CheckpointRefused and EngineUnavailable."""
        async with self._checkpoints.still() as engine:
            found = self._checkpoints.found(name, version)
            for each in self._models.adapters:
                if str(each) == str(found):
                    raise CheckpointRefused(f"{found} is loaded already", "version")
            if len(self.held) >= self._most:
                raise CheckpointRefused(
                    f"{len(self.held)} adapters are loaded, and --max-adapters is {self._most}"
                )
            number = next(self._numbers)
            folder = self._own / str(number)
            adapter = Adapter(found.name, found.id, number, folder)
            try:
                fit = await self._checkpoints.fit()
                await asyncio.to_thread(shutil.copytree, found.folder, folder)
                own = replace(found, folder=folder)
                await asyncio.to_thread(check_adapter, own, fit, self._rank)
                await engine.add(adapter)
            except (OSError, RegistryError, SwapFailed) as error:
                shutil.rmtree(folder, ignore_errors=True)
                why = unreadable(found, error) if isinstance(error, OSError) else str(error)
                log.warning("the adapter %s was not loaded: %s", found, why)
                raise CheckpointRefused(why) from error
            log.info("the adapter %s is served", found)
            return self._models.add(adapter)

    async def unload(self, name: str, version: str | None) -> list[Adapter]:
        """All versions, where none is said. Raises CheckpointRefused where there is none, and for
        one that an alias needs."""
        async with self._checkpoints.still():
            found = [
                each
                for each in self._models.adapters
                if each.name == name and version in (None, each.version)
            ]
            if not found:
                wanted = name if version is None else f"{name}/{version}"
                raise CheckpointRefused(f"there is no adapter {wanted} loaded", "name")
            if aliases := self._models.aliases_of(found):
                raise CheckpointRefused(f"aliases need it: {', '.join(aliases)}", "name")
            for each in found:
                model = self._models.remove(each)
                self._ending[each] = asyncio.create_task(self._end(each, model))
            return found

    async def _end(self, adapter: Adapter, model: Model) -> None:
        try:
            await model.uses[-1].none()
            async with self._checkpoints.still() as engine:
                await engine.remove(adapter)
        finally:
            del self._ending[adapter]
            shutil.rmtree(adapter.folder, ignore_errors=True)
        log.info("the adapter %s is gone", adapter)

    @property
    def _own(self) -> Path:
        """A folder of this server's own, for as long as it runs."""
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="bide-")
        return Path(self._scratch.name)

    def close(self) -> None:
        if self._scratch is not None:
            self._scratch.cleanup()
