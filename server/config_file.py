"""The TOML file of settings: its keys are the flags' names, with underscores."""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError


class FileSource(PydanticBaseSettingsSource):
    """Reads the file that a flag or the environment names as `config`.

    keys: what it may hold. Raises SettingsError, naming the file and the key that is wrong.
    """

    def __init__(self, settings: type[BaseSettings], keys: type[BaseModel]) -> None:
        super().__init__(settings)
        self._keys = keys

    def __call__(self) -> dict[str, Any]:
        path = self.current_state.get("config")
        if path is None:
            return {}
        found = read(Path(path))
        try:
            self._keys.model_validate(found)
        except ValidationError as error:
            # What has no location is about several settings: they may come from elsewhere.
            for each in error.errors():
                if each["loc"]:
                    key = ".".join(map(str, each["loc"]))
                    raise SettingsError(f"{path}: {self._wrong(key, each)}") from error
        return found

    def _wrong(self, key: str, error: Any) -> str:
        if error["type"] != "extra_forbidden":
            return f"{key}: {error['msg']}"
        near = difflib.get_close_matches(key, self._keys.model_fields, 1)
        return f"unknown key: {key}" + (f"; is {near[0]} meant?" if near else "")

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("all fields are read at once")


def read(path: Path) -> dict[str, Any]:
    """Raises SettingsError for a file that cannot be read, or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def written(settings: BaseModel, groups: Sequence[type[BaseModel]]) -> str:
    """`settings` as such a file. Those that are not set stand there as comments."""
    values = settings.model_dump(mode="json")
    return "\n".join(_section(group, values) for group in groups)


def _section(group: type[BaseModel], values: Mapping[str, Any]) -> str:
    lines = [_line(name, values[name]) for name in group.model_fields]
    return "\n".join([f"# {group.__doc__}", *lines, ""])


def _line(name: str, value: Any) -> str:
    return f"# {name} =" if value is None else f"{name} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    # JSON's strings, numbers and booleans are TOML's, except for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
