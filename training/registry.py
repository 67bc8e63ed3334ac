"""A folder of published checkpoints: immutable, whole, and named. Standard library alone.

    ROOT/NAME/v1/            the checkpoint, as Hugging Face has it
    ROOT/NAME/v1/manifest.json   hashes of all files, where it came from, what it scored
    ROOT/NAME/v1/COMPLETE    written last; without it there is no such version
    ROOT/NAME/tags.json      {"stable": "v1"}

Nothing is ever overwritten, so that who has a version open has it whole. ROOT may be any mounted
folder. `latest` is the highest version and needs no tag.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER, MANIFEST, TAGS, LOCK = "COMPLETE", "manifest.json", "tags.json", ".lock"
UNFINISHED, STALE = ".unfinished-", 3600.0
LATEST = "latest"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"v[1-9][0-9]{0,8}")
CODE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py")
"""Formats that run what is in them as they are read."""

TEXTS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
)
"""What decides how texts become tokens."""


class RegistryError(Exception):
    """One line on what is wrong with a name, a version or a checkpoint."""


class Unknown(RegistryError):
    """There is no such checkpoint, version or tag."""


@dataclass(frozen=True, slots=True)
class Version:
    """One published checkpoint; `str()` names it."""

    name: str
    id: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.name}/{self.id}"

    @property
    def is_there(self) -> bool:
        return not self.folder.is_symlink() and (self.folder / MARKER).is_file()

    @property
    def is_adapter(self) -> bool:
        """Whether it changes another checkpoint's weights, and has none of its own."""
        return is_adapter(self.folder)

    @property
    def number(self) -> int:
        return int(self.id[1:])

    def manifest(self) -> dict[str, Any]:
        """Raises RegistryError."""
        return _object(self.folder / MANIFEST)

    def verify(self) -> None:
        """Raises RegistryError unless every file is there as it was published, and no other."""
        _refuse_links(self.folder)
        hashes = self.manifest().get("sha256")
        if not isinstance(hashes, dict):
            raise RegistryError(f"{self}: {MANIFEST} has no sha256")
        found = {path.name for path in self.folder.iterdir()} - {MARKER, MANIFEST}
        for name in sorted(hashes.keys() - found):
            raise RegistryError(f"{self}: {name} is missing")
        for name in sorted(found - hashes.keys()):
            raise RegistryError(f"{self}: {name} is not in its manifest")
        for name, published in sorted(hashes.items()):
            if sha256(self.folder / name) != published:
                raise RegistryError(f"{self}: {name} is not what was published: its hash differs")


class Registry:
    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(self, folder: Path, name: str, lineage: Mapping[str, Any] | None = None) -> Version:
        """A copy of `folder` as the next version of `name`.

        lineage: goes into the manifest: base, recipe, commit, scores. Raises RegistryError for a
        folder that is no checkpoint of safetensors.
        """
        home = self._home(name)
        check_folder(folder)
        home.mkdir(parents=True, exist_ok=True)
        unfinished = home / f"{UNFINISHED}{uuid.uuid4().hex}"
        try:
            shutil.copytree(folder, unfinished, ignore=shutil.ignore_patterns(MARKER, MANIFEST))
            files = sorted(path for path in unfinished.iterdir())
            manifest = {
                "name": name,
                "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "lineage": dict(lineage or {}),
                "texts_sha256": texts_sha256(unfinished),
                "sha256": {path.name: sha256(path) for path in files},
            }
            _write(unfinished / MANIFEST, json.dumps(manifest, indent=2) + "\n")
            version = self._numbered(name, unfinished)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        _write(version.folder / MARKER, f"{version}\n")
        return version

    def _numbered(self, name: str, unfinished: Path) -> Version:
        """Under the next number that nobody else took in the meantime."""
        home, taken = self._home(name), self._taken(name)
        number = max(taken, default=0) + 1
        while True:
            folder = home / f"v{number}"
            try:
                unfinished.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
                number += 1
                continue
            return Version(name, folder.name, folder)

    def _taken(self, name: str) -> list[int]:
        """Also by versions that never were completed."""
        found = [path.name for path in self._home(name).iterdir() if VERSION.fullmatch(path.name)]
        return [int(each[1:]) for each in found]

    def resolve(self, name: str, version: str = LATEST) -> Version:
        """version: `v3`, a tag, or `latest`. Raises Unknown, or RegistryError for a bad name."""
        home = self._home(name)
        if version == LATEST:
            found = self.versions(name)
            if not found:
                raise Unknown(f"there is no checkpoint {name!r}")
            return found[-1]
        wanted = version if VERSION.fullmatch(version) else self.tags(name).get(version)
        found_version = Version(name, wanted or "", home / (wanted or ""))
        if wanted is None or not VERSION.fullmatch(wanted) or not found_version.is_there:
            known = ", ".join([*(each.id for each in self.versions(name)), *self.tags(name)])
            raise Unknown(f"{name} has no version {version!r}, only {known or 'none'}")
        return found_version

    def names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        homes = (path for path in self.root.iterdir() if NAME.fullmatch(path.name))
        return sorted(path.name for path in homes if self.versions(path.name))

    def versions(self, name: str) -> list[Version]:
        """The whole ones, the oldest first."""
        home = self._home(name)
        if not home.is_dir():
            return []
        named = [path for path in home.iterdir() if VERSION.fullmatch(path.name)]
        found = [version for path in named if (version := Version(name, path.name, path)).is_there]
        return sorted(found, key=lambda version: version.number)

    def tags(self, name: str) -> dict[str, str]:
        path = self._home(name) / TAGS
        return {key: str(value) for key, value in _object(path).items()} if path.is_file() else {}

    def check_names(self, name: str, tag: str | None = None) -> None:
        """Raises RegistryError for what could not be published or tagged so."""
        self._home(name)
        if tag is not None and (tag == LATEST or VERSION.fullmatch(tag) or not NAME.fullmatch(tag)):
            raise RegistryError(f"{tag!r} cannot be a tag")

    def tag(self, name: str, tag: str, version: str) -> Version:
        """Let a tag mean a version from now on. Raises RegistryError."""
        self.check_names(name, tag)
        found = self.resolve(name, version)
        with self._locked(name):
            tags = {**self.tags(name), tag: found.id}
            _write(self._home(name) / TAGS, json.dumps(tags, indent=2) + "\n")
        return found

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Alone among those who tag or clear up, in this process and others."""
        with (self._home(name) / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def gc(self, name: str, keep: int, served: Collection[str] = ()) -> list[Version]:
        """Removes all but the newest `keep` versions, the tagged ones and those in `served`; and
        what publishing left unfinished an hour ago.

        served: ids; keep: 1 at least, so that no number is given out twice. A version's marker goes
        first, so that it is never half there.
        """
        if keep < 1:
            raise RegistryError("gc keeps one version at least")
        removed = []
        with self._locked(name):
            held = {*self.tags(name).values(), *served}
            for version in self.versions(name)[:-keep]:
                if version.id not in held:
                    (version.folder / MARKER).unlink()
                    shutil.rmtree(version.folder)
                    removed.append(version)
            for unfinished in self._home(name).glob(f"{UNFINISHED}*"):
                if time.time() - unfinished.stat().st_mtime > STALE:
                    shutil.rmtree(unfinished, ignore_errors=True)
        return removed

    def _home(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise RegistryError(f"{name!r} cannot be a checkpoint's name")
        return self.root / name


def check_folder(folder: Path) -> None:
    """Raises RegistryError for what is no checkpoint or adapter, or has files that could run
    code."""
    if not (folder / "config.json").is_file() and not is_adapter(folder):
        raise RegistryError(f"{folder} is no checkpoint: it has no config.json")
    _refuse_links(folder)
    if not any(folder.glob("*.safetensors")):
        raise RegistryError(f"{folder} has no weights in safetensors")


def is_adapter(folder: Path) -> bool:
    """Whether it is as peft saves a LoRA adapter."""
    whole = (folder / "config.json").is_file()
    return not whole and (folder / "adapter_config.json").is_file()


def _refuse_links(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise RegistryError(f"{path.name} is a link: a checkpoint has files alone")
        if path.suffix in CODE:
            raise RegistryError(f"{path.name}: only safetensors are loaded, and no code")
        if path.is_dir():
            raise RegistryError(f"{path.name} is a folder: a checkpoint has files alone")


def texts_sha256(folder: Path) -> str:
    """Of the tokenizer and its template: two checkpoints that differ there are two models."""
    digest = hashlib.sha256()
    for name in TEXTS:
        path = folder / name
        if path.is_file():
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise RegistryError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RegistryError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RegistryError(f"{path.name} is not a JSON object")
    return content


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and on the disk."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
