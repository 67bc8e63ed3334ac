"""Which weights an engine has, and which it had: by their names."""

from collections import deque
from collections.abc import Callable

REMEMBERED = 1000
"""Changes: a trainer makes some every minute, for as long as a server lives."""

Witness = Callable[[], str]
"""Begun with a request; tells at its end which weights wrote it, in order, as `mini/v1+mini/v2`."""


class Weights:
    def __init__(self, name: str) -> None:
        self._names = deque([name], maxlen=REMEMBERED)
        self._changes = 0

    @property
    def name(self) -> str:
        return self._names[-1]

    def become(self, name: str) -> None:
        self._names.append(name)
        self._changes += 1

    def witness(self) -> Witness:
        since = self._changes

        def told() -> str:
            """Of more changes than are remembered, the last ones."""
            names = list(self._names)[-1 - (self._changes - since) :]
            return "+".join(dict.fromkeys(names))

        return told
