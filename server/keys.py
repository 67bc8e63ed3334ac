"""API keys: who has one, what it allows, and the file that says so."""

import hashlib
import hmac
import logging
import re
import time
import tomllib
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from server.caller import Caller

log = logging.getLogger(__name__)

RELOAD_SECONDS = 1.0
"""The file is looked at no more often than this."""

_FOUND_BY = 8
"""Bytes of a digest that find its key."""

_ENTRY = re.compile(r"^\s*\[\[\s*keys\s*\]\]")


class KeysError(ValueError):
    """A file of keys that cannot be read, or says what it may not."""


class Key(BaseModel):
    """One `[[keys]]` of the file.

    sha256: of the key, in hex. Keys are 256 random bits, which no dictionary has: what makes a
    password's hash slow would make every request slow, and protect nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    admin: StrictBool = False
    requests_per_minute: StrictInt | None = Field(None, ge=1)
    concurrency: StrictInt | None = Field(None, ge=1)
    expires: date | None = Field(None, description="the last day it is good for, in UTC")

    @property
    def caller(self) -> Caller:
        return Caller(self.name, self.admin, self.requests_per_minute, self.concurrency)

    def expired(self, today: date) -> bool:
        return self.expires is not None and self.expires < today


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def read(path: Path) -> tuple[str, list[Key]]:
    """The text of a file and the keys in it. Raises KeysError with one line on what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeysError(f"{path}: is no UTF-8 text") from error
    return text, parse(text, str(path))


def parse(text: str, file: str) -> list[Key]:
    """Raises KeysError, which names the file, and the line where there is one to name."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error))
        where, why = (f"{file}:{found[2]}", found[1]) if found else (file, str(error))
        raise KeysError(f"{where}: {why}") from error
    entries = document.pop("keys", [])
    if document:
        raise KeysError(f"{file}: there is no {next(iter(document))!r}, only [[keys]]")
    if not isinstance(entries, list):
        raise KeysError(f"{file}: keys should be a list of [[keys]]")
    keys: list[Key] = []
    for number, entry in enumerate(entries):
        where = _place(file, text, number)
        key = checked(entry, where)
        _refuse_twins(where, key, keys)
        keys.append(key)
    return keys


def checked(entry: Any, where: str) -> Key:
    """Raises KeysError on the first field that is wrong."""
    try:
        return Key.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        field = f"{first['loc'][0]}: " if first["loc"] else ""
        raise KeysError(f"{where}: {field}{first['msg']}") from error


def entry_lines(text: str) -> list[int]:
    """The lines, from 0, at which the entries begin."""
    return [number for number, line in enumerate(text.splitlines()) if _ENTRY.match(line)]


def _place(file: str, text: str, number: int) -> str:
    lines = entry_lines(text)
    return f"{file}:{lines[number] + 1}" if number < len(lines) else file


def _refuse_twins(where: str, key: Key, others: Iterable[Key]) -> None:
    for other in others:
        if key.name == other.name:
            raise KeysError(f"{where}: there are two keys named {key.name!r}")
        if key.sha256 == other.sha256:
            raise KeysError(f"{where}: {key.name!r} and {other.name!r} are the same key")


class Keys:
    """The keys of a file, which is read again when it changes.

    A new file that is wrong changes nothing but the log. Raises KeysError where the first one is.
    clock: seconds that never go back.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._stamp = _stamp(path)
        self._found = _indexed(read(path)[1])
        self._looked = clock()

    def caller(self, key: bytes) -> Caller | None:
        """Whose key it is; None for one that there is not, or not any more."""
        self._refresh()
        asked = digest(key)
        # Found by a part of its digest, so that a thousand keys cost what one costs. How long
        # that takes depends on the digest of a guess, which nobody can steer towards a key's;
        # and the comparison takes the same time wherever the rest differs.
        found = self._found.get(asked[:_FOUND_BY])
        if found is None or not hmac.compare_digest(bytes.fromhex(found[0].sha256), asked):
            return None
        entry, caller = found
        return None if entry.expired(datetime.now(UTC).date()) else caller

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._looked < RELOAD_SECONDS:
            return
        self._looked = now
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp  # also of a wrong file: it is told of once
        try:
            _, keys = read(self._path)
        except KeysError as error:
            log.error("the keys stay as they were: %s", error)
            return
        self._found = _indexed(keys)
        log.info("%d keys read from %s", len(keys), self._path)


def _indexed(keys: Iterable[Key]) -> dict[bytes, tuple[Key, Caller]]:
    return {bytes.fromhex(key.sha256)[:_FOUND_BY]: (key, key.caller) for key in keys}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
