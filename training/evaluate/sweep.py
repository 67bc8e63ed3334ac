"""A sweep: methods × settings over a task, from a TOML file or from the command line's options."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt, ValidationError

from training.evaluate.methods import AnyMethod
from training.evaluate.settings import MAIN, Options, Request, Setting
from training.stages import Section
from training.world.problem import Split


class SweepError(ValueError):
    """A sweep that cannot be run; the message names the field."""


class Server(Section):
    """url: None where it is to be given when the sweep is run.

    model: that requests name; api_key_env: the environment variable that holds the key.
    """

    url: str | None = None
    model: str | None = None
    api_key_env: str = "BIDE_API_KEY"


class Sweep(Section):
    title: str = "Test-time scaling"
    task: str = "world"
    split: Split = "test"
    n: PositiveInt = Field(1000, description="questions")
    max_tokens: PositiveInt | None = None
    concurrency: PositiveInt = Field(64, description="requests at once")
    servers: dict[str, Server] = Field({})
    methods: tuple[AnyMethod, ...] = Field(min_length=1)

    def server(self, name: str) -> Server:
        default = Server(url="http://localhost:8000") if name == MAIN else Server()
        return self.servers.get(name, default)

    @property
    def names(self) -> list[str]:
        """Of the servers that there are to ask."""
        return list(dict.fromkeys([MAIN, *self.servers]))

    def settings(self) -> list[Setting]:
        """Raises SweepError where two settings have one name, or ask differently under one."""
        settings = [
            setting
            for method in self.methods
            for setting in method.settings(self._common(method.server))
        ]
        known: dict[str, Request] = {}
        seen: set[str] = set()
        for setting in settings:
            request = setting.request
            if setting.name in seen or known.setdefault(request.name, request) != request:
                raise SweepError(
                    f"methods: {setting.name!r} is listed twice: give one of its methods a `name`"
                )
            seen.add(setting.name)
        return settings

    def _common(self, name: str) -> Options:
        if name not in self.names:
            raise SweepError(f"methods: there is no server {name!r}, only {', '.join(self.names)}")
        common = {"max_tokens": self.max_tokens, "model": self.server(name).model}
        return {key: value for key, value in common.items() if value is not None}


def of_options(
    budgets: Sequence[int], waits: Sequence[int], samples: int, **more: Any
) -> dict[str, Any]:
    """Greedy at each budget, at the model's own length and with each number of Waits; `samples`
    drawn at temperature 1 for single sample, majorities and any, if more than 0."""
    methods: list[dict[str, Any]] = []
    if budgets:
        methods.append({"method": "budget", "limits": budgets})
    methods.append({"method": "own"})
    if waits:
        methods.append({"method": "waits", "waits": waits})
    if samples:
        methods += [{"method": name, "samples": samples} for name in ("majority", "any")]
    return {**more, "methods": methods}


def read(path: Path) -> dict[str, Any]:
    """Raises SweepError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SweepError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SweepError(f"{path}: not TOML: {error}") from error


def build(data: Mapping[str, Any], source: str) -> Sweep:
    """`source` begins the message of a SweepError."""
    try:
        return Sweep.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise SweepError(f"{source}: {field}: {first['msg']}") from error
