"""Who hears of a program's life: metrics always, traces where they are asked for."""

from collections.abc import Callable
from typing import Protocol

from decoding.types import Event


class Observer(Protocol):
    """Of one program, made when it asks for a place in the engine."""

    def admitted(self) -> None:
        """It has its place."""

    def see(self, event: Event) -> None: ...

    def close(self) -> None:
        """It is over: finished, failed, or aborted."""


Observe = Callable[[float], Observer]
"""Told for how many seconds the program has been waiting already."""
