"""The settings that a command line asks for."""

import os
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_settings import CliApp, CliSettingsSource, SettingsError

from server.config import GROUPS, Settings
from server.config_help import HelpParser


def settings_from(arguments: Sequence[str]) -> Settings:
    """Raises SettingsError, one line that names the flag, the variable or the file and its key."""
    source = CliSettingsSource[Any](Settings, root_parser=HelpParser(GROUPS))
    try:
        return CliApp.run(Settings, list(arguments), cli_settings_source=source)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"] if part != "[key]"]
        where = ": ".join([_origin(path[0], arguments), *path[1:], ""]) if path else ""
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{where}{message}") from error


def _origin(name: str, arguments: Sequence[str]) -> str:
    """The flag or the variable; what a file holds is checked where it is read."""
    flag, variable = f"--{name.replace('_', '-')}", f"BIDE_{name.upper()}"
    given = any(argument.partition("=")[0] == flag for argument in arguments)
    return variable if variable in os.environ and not given else flag
