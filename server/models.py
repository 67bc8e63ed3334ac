"""What can be asked for by name: the model, the model with an adapter, and aliases for these.

bide-mini              the model
bide-mini:polite/v2    with a version of an adapter
bide-mini:polite       with the version that was loaded last
support                an alias: of several models, one is drawn for each request
"""

import random
from collections.abc import Callable, Mapping, Sequence

from server.engine.adapters import Adapter
from server.engine.model import Model
from server.errors import InvalidRequest, UnknownModel

SHOWN = 20
"""Names that an error lists."""

Shares = Mapping[str, float]
"""Of requests, by a model's name; weights, which need not sum to one."""


class Models:
    """served: the one that is meant where none is named."""

    def __init__(self, served: Model, draw: Callable[[], float] = random.random) -> None:
        """draw: from 0 to 1, without 1."""
        self.served = served
        self._draw = draw
        self._adapted: dict[str, Model] = {}
        self.aliases: dict[str, Shares] = {}

    def resolve(self, name: str | None) -> Model:
        """Raises UnknownModel."""
        if name in self.aliases:
            name = self._drawn(self.aliases[name])
        if name is None or name == self.served.name:
            return self.served
        for each in reversed(self._adapted.values()):
            assert each.adapter is not None
            if name in (each.name, f"{self.served.name}:{each.adapter.name}"):
                return each
        names = list(self.names())
        known = ", ".join(map(repr, names[:SHOWN])) + (", …" if names[SHOWN:] else "")
        raise UnknownModel(f"model: there is no {name!r}, only {known}", "model", "model_not_found")

    def names(self) -> list[str]:
        """Each of one model, but for aliases."""
        return [self.served.name, *self._adapted, *self.aliases]

    @property
    def adapters(self) -> list[Adapter]:
        """The one that was loaded first comes first."""
        return [each.adapter for each in self._adapted.values() if each.adapter is not None]

    def add(self, adapter: Adapter) -> Model:
        made = self.served.adapted(adapter)
        self._adapted[made.name] = made
        return made

    def remove(self, adapter: Adapter) -> Model:
        """Requests that have it keep it."""
        return self._adapted.pop(f"{self.served.name}:{adapter}")

    def alias(self, name: str, shares: Shares) -> None:
        """Raises InvalidRequest for a name that is taken, and for shares of what is no model."""
        if name == self.served.name or ":" in name:
            raise InvalidRequest(f"name: {name!r} is a model's own", "name")
        known = self._meant(self.adapters)
        for each in shares:
            if each not in known:
                raise InvalidRequest(f"models: there is no model {each!r}", "models")
        self.aliases[name] = dict(shares)

    def aliases_of(self, adapters: Sequence[Adapter]) -> list[str]:
        """Those that could not be answered without them."""
        left = self._meant([each for each in self.adapters if each not in adapters])
        return [name for name, shares in self.aliases.items() if not shares.keys() <= left]

    def _meant(self, adapters: Sequence[Adapter]) -> set[str]:
        """All names of models, where these are the adapters."""
        base = self.served.name
        return {base, *(f"{base}:{each}" for each in adapters)} | {
            f"{base}:{each.name}" for each in adapters
        }

    def _drawn(self, shares: Shares) -> str:
        left = self._draw() * sum(shares.values())
        for name, share in shares.items():
            left -= share
            if left < 0:
                return name
        return name
