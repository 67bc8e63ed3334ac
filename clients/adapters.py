"""`bide adapters`: LoRA adapters of a running server, and names that stand for its models."""

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from clients.admin import Admin
from clients.wire import BideError

ADAPTERS, ALIASES = "/v1/adapters", "/v1/aliases"


def main() -> int:
    options = parser().parse_args()
    admin = Admin(options.url, os.environ.get("BIDE_API_KEY"))
    try:
        said = options.run(admin, options)
    except BideError as error:
        print(f"bide adapters: {error}", file=sys.stderr)
        return 1
    if said:
        print(said)
    return 0


def show(admin: Admin, _: argparse.Namespace) -> None:
    table = Table()
    for column in ("model", "stands for"):
        table.add_column(column)
    for each in admin.ask("GET", ADAPTERS)["loaded"]:
        table.add_row(each["model"], "")
    for name, models in admin.ask("GET", ALIASES)["aliases"].items():
        table.add_row(name, shares(models))
    Console().print(table)


def shares(models: Mapping[str, float]) -> str:
    whole = sum(models.values())
    return ", ".join(f"{name} {weight / whole:.1%}" for name, weight in models.items())


def load(admin: Admin, options: argparse.Namespace) -> str:
    wanted = {"name": options.name, "version": options.version}
    return f"{admin.ask('POST', f'{ADAPTERS}/load', wanted)['model']} is served"


def unload(admin: Admin, options: argparse.Namespace) -> str:
    wanted = {"name": options.name, "version": options.version}
    gone = admin.ask("POST", f"{ADAPTERS}/unload", wanted)["unloaded"]
    return f"unloaded: {', '.join(gone)}"


def alias(admin: Admin, options: argparse.Namespace) -> str:
    path, models = f"{ALIASES}/{options.name}", dict(options.models)
    if not models:
        admin.ask("DELETE", path)
        return f"{options.name} stands for nothing any more"
    admin.ask("PUT", path, {"models": models})
    return f"{options.name}: {shares(models)}"


def share(text: str) -> tuple[str, float]:
    name, _, weight = text.rpartition("=")
    try:
        return (name, float(weight)) if name else (text, 1.0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} should be MODEL or MODEL=WEIGHT") from error


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bide adapters",
        description="LoRA adapters of a running server, which its --max-adapters allows; an "
        "admin's key: BIDE_API_KEY.",
    )
    made.add_argument("--url", default="http://localhost:8000", help="of the server")
    commands = made.add_subparsers(required=True)
    listing: Any = commands.add_parser("list", help="what is loaded, and the aliases")
    listing.set_defaults(run=show)
    loading = commands.add_parser("load", help="of the server's registry")
    loading.add_argument("name")
    loading.add_argument("version", nargs="?", default="latest", help="default: latest")
    loading.set_defaults(run=load)
    unloading = commands.add_parser("unload", help="who has it keeps it, and nobody else gets it")
    unloading.add_argument("name")
    unloading.add_argument("version", nargs="?", help="default: all that are loaded")
    unloading.set_defaults(run=unload)
    aliasing = commands.add_parser("alias", help="a name for models, each by its share")
    aliasing.add_argument("name")
    aliasing.add_argument("models", nargs="*", type=share, metavar="MODEL=WEIGHT", help="or none")
    aliasing.set_defaults(run=alias)
    return made


if __name__ == "__main__":
    sys.exit(main())
