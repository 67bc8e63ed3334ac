"""What an engine must let be done for its weights to be exchanged while it runs."""

from pathlib import Path
from typing import Protocol


class SwapFailed(Exception):
    """The engine could not read the weights, and may hold half of them."""


class Swapping(Protocol):
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
