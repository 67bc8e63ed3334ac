"""Scripted engines, one of which serves; others can be started beside it."""

from collections.abc import Callable
from pathlib import Path

from server.engine.model import Model
from server.engine.preflight import CannotStart
from server.engine.swapping import Beside
from tests.scripted import ScriptedEngine


class ScriptedEngines:
    """make: of another engine, its model."""

    def __init__(
        self,
        first: ScriptedEngine,
        other: ScriptedEngine | None = None,
        make: Callable[[ScriptedEngine], Model] | None = None,
    ) -> None:
        self.current = first
        self._other, self._make = other, make

    async def beside(self, folder: Path) -> Beside:
        if self._other is None or self._make is None:
            raise CannotStart("there is no room for another engine")
        other = self._other

        def take_over() -> None:
            self.current = other

        return Beside(other, self._make(other), take_over, other.close)
