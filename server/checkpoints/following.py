"""Loads what a tag means, whenever it comes to mean another version."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from server.checkpoints.loader import Checkpoints
from server.errors import CheckpointRefused, EngineUnavailable
from training.registry import Version

log = logging.getLogger(__name__)


class Follower:
    """A version that was refused is not tried again, nor one that was since rolled back from."""

    def __init__(self, checkpoints: Checkpoints, name: str, tag: str) -> None:
        self._checkpoints, self._name, self._tag = checkpoints, name, tag
        self._seen: Version | None = None
        self._missing: str | None = None

    async def look(self) -> None:
        try:
            found = await asyncio.to_thread(self._checkpoints.found, self._name, self._tag)
        except CheckpointRefused as error:
            if error.message != self._missing:
                log.warning("%s@%s is followed, but %s", self._name, self._tag, error)
            self._missing = error.message
            return
        self._missing = None
        if found != self._seen and await self._is_settled(found):
            self._seen = found

    async def _is_settled(self, found: Version) -> bool:
        if self._checkpoints.served == str(found):
            return True
        try:
            await self._checkpoints.load(found.name, found.id, "drain")
        except CheckpointRefused as error:
            # The loader has logged why. What could not be read, or waited for, may be later.
            return not isinstance(error.__cause__, OSError)
        except EngineUnavailable:
            return False
        return True


@asynccontextmanager
async def following(
    checkpoints: Checkpoints,
    followed: str | None,
    every: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[None, None]:
    """followed: NAME@TAG, or nothing. every: seconds."""
    if followed is None:
        yield
        return
    name, _, tag = followed.partition("@")
    follower = Follower(checkpoints, name, tag)

    async def look() -> None:
        while True:
            try:
                await follower.look()
            except Exception:
                log.exception("%s could not be followed this time", followed)
            await sleep(every)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
