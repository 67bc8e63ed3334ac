"""How fast a queue moves."""

from collections.abc import Callable
from math import ceil, exp

MEMORY = 30.0
"""Seconds of a moving queue after which what was counts for a third."""
LONGEST = 60
"""Seconds. Whoever is told to wait longer had better ask again than believe a guess."""


class Pace:
    """An exponentially weighted mean of the rate at which requests leave the queue.

    Only time in which somebody waited counts: a server at rest is not a slow one.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = 0.0
        self._seconds = 0.0
        self._last = clock()

    def step(self, arrived: float) -> None:
        """A request has left the queue, where it had been since then."""
        now = self._clock()
        spent = now - max(self._last, arrived)
        kept = exp(-spent / MEMORY)
        self._left = self._left * kept + 1
        self._seconds = self._seconds * kept + spent
        self._last = now

    def retry_after(self, requests: int) -> int:
        """Whole seconds until so many will have left, from 1 to LONGEST."""
        if not self._left:
            return 1
        return min(LONGEST, max(1, ceil(requests * self._seconds / self._left)))
