"""`bide keys`: make, list and remove the keys that let clients in."""

import argparse
import os
import secrets
import sys
import tempfile
from datetime import date
from pathlib import Path

from server.keys import Key, KeysError, checked, digest, entry_lines, parse, read

PREFIX = "bide-"
"""So that people and secret scanners know one when they see it."""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        match arguments.action:
            case "add":
                print(add(arguments.file, _fields(arguments)))
                print(f"Shown this once; {arguments.file} has its hash alone.", file=sys.stderr)
            case "list":
                print(listing(arguments.file))
            case "remove":
                remove(arguments.file, arguments.name)
    except (KeysError, OSError) as error:
        print(f"bide keys: {error}", file=sys.stderr)
        return 1
    return 0


def add(path: Path, fields: dict[str, str | bool | int | date]) -> str:
    """A new key, whose hash and fields the file has from now on. Raises KeysError, OSError."""
    key = PREFIX + secrets.token_urlsafe(32)
    fields = {**fields, "sha256": digest(key.encode()).hex()}
    checked(fields, str(path))
    text = read(path)[0] if path.exists() else ""
    entry = "\n".join(["[[keys]]", *(f"{name} = {_toml(v)}" for name, v in fields.items()), ""])
    text = f"{text.rstrip()}\n\n{entry}" if text.strip() else entry
    parse(text, str(path))
    _write(path, text)
    return key


def listing(path: Path) -> str:
    """A line a key. Raises KeysError."""
    return "\n".join(_line(key) for key in read(path)[1])


def remove(path: Path, name: str) -> None:
    """Cuts the key's lines out and leaves all others as they are. Raises KeysError, OSError."""
    text, keys = read(path)
    names = [key.name for key in keys]
    if name not in names:
        raise KeysError(f"{path}: there is no key named {name!r}")
    number, lines = names.index(name), text.splitlines(keepends=True)
    begins = [*entry_lines(text), len(lines)]
    if len(begins) != len(keys) + 1:
        raise KeysError(f"{path}: remove {name!r} by hand: not every key is a [[keys]] of its own")
    text = "".join(lines[: begins[number]] + lines[begins[number + 1] :])
    if parse(text, str(path)) != keys[:number] + keys[number + 1 :]:
        raise KeysError(f"{path}: remove {name!r} by hand: its lines cannot be told from others")
    _write(path, text)


def _write(path: Path, text: str) -> None:
    """All of it or nothing: a server may be reading. No other user may."""
    path = path.resolve()  # a link stays a link
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _toml(value: str | bool | int | date) -> str:
    """Of the values that Key allows: its texts need no escapes."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _line(key: Key) -> str:
    limits = {
        "requests a minute": key.requests_per_minute,
        "at once": key.concurrency,
    }
    told = [
        "admin" if key.admin else "user",
        *(f"{limit} {name}" for name, limit in limits.items() if limit),
        *([f"until {key.expires}"] if key.expires else []),
    ]
    return f"{key.name:24} {', '.join(told)}"


def _fields(arguments: argparse.Namespace) -> dict[str, str | bool | int | date]:
    fields = {name: getattr(arguments, name) for name in Key.model_fields if name != "sha256"}
    return {name: value for name, value in fields.items() if value not in (None, False)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bide keys", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--file",
        type=Path,
        default=Path(os.environ.get("BIDE_KEYS", "keys.toml")),
        help="the server's --keys; default: $BIDE_KEYS, or keys.toml",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="add|list|remove")
    adding = actions.add_parser("add", parents=[shared], help="make a key and print it once")
    adding.add_argument("name", help="whose it is: for logs, metrics and limits")
    adding.add_argument("--admin", action="store_true", help="for the routes that run the server")
    adding.add_argument("--requests-per-minute", type=int, metavar="N")
    adding.add_argument("--concurrency", type=int, metavar="N", help="requests at once")
    adding.add_argument(
        "--expires", type=date.fromisoformat, metavar="YYYY-MM-DD", help="its last day, in UTC"
    )
    actions.add_parser("list", parents=[shared], help="names and what they may, no keys")
    removing = actions.add_parser("remove", parents=[shared], help="a running server sees it")
    removing.add_argument("name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
