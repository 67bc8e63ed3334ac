"""`bide checkpoints`: which weights a running server has, and other ones.

It speaks HTTP alone; publishing into a registry, tags and clearing up are of the training package.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from clients.wire import BideError, error_of

PATH = "/v1/checkpoints"


class Checkpoints:
    """A server by its URL. Every method raises BideError."""

    def __init__(
        self, url: str, api_key: str | None, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # A load waits for requests that run: only connecting has a limit.
        timeout = httpx.Timeout(None, connect=10)
        self._http = httpx.Client(
            base_url=url.rstrip("/").removesuffix("/v1"),
            headers=headers,
            timeout=timeout,
            transport=transport,
        )

    def state(self) -> dict[str, Any]:
        return self._ask("GET", PATH)

    def load(self, name: str, version: str, mode: str) -> dict[str, Any]:
        return self._ask("POST", f"{PATH}/load", {"name": name, "version": version, "mode": mode})

    def rollback(self, mode: str) -> dict[str, Any]:
        return self._ask("POST", f"{PATH}/rollback", {"mode": mode})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise BideError(f"no answer from {self._http.base_url}: {error!r}") from error
        if not response.is_success:
            raise error_of(response)
        found: dict[str, Any] = response.json()
        return found


def main() -> int:
    options = parser().parse_args()
    server = Checkpoints(options.url, os.environ.get("BIDE_API_KEY"))
    try:
        if options.command == "list":
            show(server.state())
        elif options.command == "load":
            told(server.load(options.name, options.version, options.mode))
        else:
            told(server.rollback(options.mode))
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
    Console().print(table)


def told(swap: Mapping[str, Any]) -> None:
    seconds, swapping = swap["seconds"], swap["swapping"]
    print(f"{swap['version']} is served: {seconds:.2f} s, {swapping:.2f} s of them swapping")


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
    return made


if __name__ == "__main__":
    sys.exit(main())
