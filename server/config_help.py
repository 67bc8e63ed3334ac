"""What `bide serve --help` prints."""

import shutil
import textwrap
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, HttpUrl
from pydantic.fields import FieldInfo

WORDS = {int: "N", float: "X", str: "TEXT", Path: "FILE", HttpUrl: "URL"}
COLUMN = 30
WIDEST = 100

INTRODUCTION = """\
Serves a reasoning model over HTTP, and each request says how long to think.

Settings come from flags, then from the environment (--max-model-len is BIDE_MAX_MODEL_LEN), then
from the file that --config names (max_model_len), then from the defaults, which are in brackets."""


class HelpParser(ArgumentParser):
    """Prints the settings by group."""

    def __init__(self, groups: Sequence[type[BaseModel]]) -> None:
        super().__init__(prog="bide serve", allow_abbrev=False)
        self._groups = groups

    def format_usage(self) -> str:
        return "usage: bide serve [OPTION …]\n"

    def format_help(self) -> str:
        width = min(shutil.get_terminal_size().columns, WIDEST)
        groups = (_group(group, width) for group in self._groups)
        return "\n".join([self.format_usage(), INTRODUCTION, *groups])


def _group(group: type[BaseModel], width: int) -> str:
    rows = (_row(name, field, width) for name, field in group.model_fields.items())
    return "\n".join([f"\n{group.__doc__}", *rows])


def _row(name: str, field: FieldInfo, width: int) -> str:
    flag = f"  {option(name, field)}"
    default = shown_default(field)
    text = f"{field.description}{f' [{default}]' if default else ''}"
    blank = " " * COLUMN
    # A flag that leaves no gap stands on a line of its own.
    first, lead = ("", flag.ljust(COLUMN)) if len(flag) < COLUMN - 1 else (f"{flag}\n", blank)
    lines = textwrap.wrap(
        text,
        max(width, COLUMN + 20),
        initial_indent=lead,
        subsequent_indent=blank,
        break_on_hyphens=False,
    )
    return first + "\n".join(lines)


def option(name: str, field: FieldInfo) -> str:
    """The flag and what follows it: --port N."""
    kebab, word = name.replace("_", "-"), metavar(field.annotation)
    if word:
        return f"--{kebab} {word}"
    return f"--{kebab}" if field.metadata else f"--[no-]{kebab}"


def metavar(annotation: Any) -> str:
    """What a value of this type looks like; nothing for a switch."""
    if annotation is bool:
        return ""
    if annotation in WORDS:
        return WORDS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "|".join(map(str, arguments))
    if origin is Annotated:
        return metavar(arguments[0])
    if origin is dict and metavar(arguments[1]).startswith("NAME="):
        return "JSON"
    if origin is dict:
        return f"NAME={metavar(arguments[1])},…"
    if origin in (list, tuple, set, frozenset):
        return f"{metavar(arguments[0])},…"
    (some,) = (each for each in arguments if each is not NoneType)
    return metavar(some)


def shown_default(field: FieldInfo) -> str:
    """Nothing where there is none, or where the description tells it."""
    default = field.get_default(call_default_factory=True)
    if default is None or default is False or default == {} or default == []:
        return ""
    if "default:" in str(field.description):
        return ""
    if isinstance(default, dict):
        return ", ".join(f"{key}={value}" for key, value in default.items())
    return "yes" if default is True else str(default)
