"""`bide checkpoints`: which weights a running server has, and other ones.

It speaks HTTP alone; publishing into a registry, tags and clearing up are of the training package.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from clients.admin import Admin
from clients.wire import BideError

PATH = "/v1/checkpoints"

STEPS = {
    "checking": "the checkpoint is looked at",
    "draining": "running requests end, new ones wait",
    "swapping": "the weights are exchanged",
    "starting": "another engine is started",
    "proving": "it says its first token",
}

Told = Callable[[str], None]


def silent(_: str) -> None:
    pass


class Checkpoints:
    """Of a server. Every method raises BideError; told: of each step, as it begins."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def state(self) -> dict[str, Any]:
        return self._admin.ask("GET", PATH)

    def load(
        self,
        name: str,
        version: str,
        mode: str = "drain",
        engine: str = "same",
        told: Told = silent,
    ) -> dict[str, Any]:
        body = {"name": name, "version": version, "mode": mode, "engine": engine}
        return self._admin.steps(f"{PATH}/load", body, told)

    def rollback(
        self, mode: str = "drain", engine: str = "same", told: Told = silent
    ) -> dict[str, Any]:
        return self._admin.steps(f"{PATH}/rollback", {"mode": mode, "engine": engine}, told)


def main() -> int:
    options = parser().parse_args()
    server = Checkpoints(Admin(options.url, os.environ.get("BIDE_API_KEY")))
    try:
        if options.command == "list":
            show(server.state())
            return 0
        with Console(stderr=True).status("asking the server") as status:

            def told(step: str) -> None:
                status.update(STEPS.get(step, step))

            if options.command == "load":
                wanted = (options.name, options.version)
                swap = server.load(*wanted, options.mode, options.engine, told)
            else:
                swap = server.rollback(options.mode, options.engine, told)
        print(summary(swap))
    except BideError as error:
        print(f"bide checkpoints: {error}", file=sys.stderr)
        return 1
    return 0


def show(state: Mapping[str, Any]) -> None:
    table = Table(title=f"served: {state['served']} ({state['state']})", title_justify="left")
    for column in ("name", "versions", "tags"):
        table.add_column(column)
    for each in state["available"]:
        tags = ", ".join(f"{tag} = {version}" for tag, version in each["tags"].items())
        table.add_row(each["name"], " ".join(each["versions"]), tags)
    console = Console()
    console.print(table)
    if state["adapters"]:
        console.print(f"adapters: {', '.join(state['adapters'])}")


def summary(swap: Mapping[str, Any]) -> str:
    seconds, swapping = swap["seconds"], swap["swapping"]
    if swap["engine"] == "new":
        return f"{swap['version']} is served by an engine of its own: {seconds:.2f} s"
    return f"{swap['version']} is served: {seconds:.2f} s, {swapping:.2f} s of them swapping"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bide checkpoints",
        description="Which weights a running server has, and other ones; an admin's key: "
        "BIDE_API_KEY.",
    )
    made.add_argument("--url", default="http://localhost:8000", help="of the server")
    commands = made.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what is served, and what could be")
    load = commands.add_parser("load", help="another version, when running requests have ended")
    load.add_argument("name")
    load.add_argument("version", nargs="?", default="latest", help="v3, a tag, or latest (default)")
    back = commands.add_parser("rollback", help="to the version before")
    for each in (load, back):
        each.add_argument("--mode", choices=("drain", "immediate"), default="drain")
        each.add_argument(
            "--engine",
            choices=("same", "new"),
            default="same",
            help="new: start another beside, for another shape or tokenizer",
        )
    return made


if __name__ == "__main__":
    sys.exit(main())
