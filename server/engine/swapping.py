"""What engines must let be done for other weights, or another engine, to serve while it runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from server.engine.adapters import Adapting
from server.engine.model import Model


class SwapFailed(Exception):
    """The engine could not read the weights, and may hold half of them."""


class Swapping(Adapting, Protocol):
    async def pause(self) -> None:
        """No step is begun from now on; what runs is kept, and forgets what it computed."""
        ...

    async def reload(self, folder: Path) -> None:
        """Of a paused engine. Raises SwapFailed, and EngineUnavailable where it died of it."""
        ...

    async def resume(self) -> None: ...

    async def prove(self) -> None:
        """Raises SwapFailed unless what the engine says is a token with a probability."""
        ...

    async def fail(self) -> None:
        """End the engine, whose weights are not to be trusted; another is started then."""
        ...

    def keep(self, folder: Path) -> None:
        """These weights, from now on, also for an engine that is started anew."""
        ...

    async def close(self) -> None:
        """End it for good, and all its calls."""
        ...


@dataclass(frozen=True, slots=True)
class Beside:
    """An engine that runs beside the one that serves. take_over: it is that one from now on;
    give_up: it ends, and nothing is left of it."""

    engine: Swapping
    model: Model
    take_over: Callable[[], None]
    give_up: Callable[[], Awaitable[None]]


class Engines(Protocol):
    @property
    def current(self) -> Swapping:
        """The one that serves."""
        ...

    async def beside(self, folder: Path) -> Beside:
        """Start another. Raises CannotStart, with nothing left of it."""
        ...
