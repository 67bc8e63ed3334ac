"""`bide checkpoints publish|tag|gc`: a registry's folder, whoever serves from it."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from clients.admin import Admin
from clients.checkpoints import Checkpoints
from clients.wire import BideError
from training.hub import HUB, HubError, fetched
from training.registry import Registry, RegistryError


def main() -> int:
    options = parser().parse_args()
    try:
        print(options.run(Registry(options.registry), options))
    except (BideError, HubError, RegistryError) as error:
        print(f"bide checkpoints: {error}", file=sys.stderr)
        return 1
    return 0


def publish(registry: Registry, options: argparse.Namespace) -> str:
    registry.check_names(options.name, options.tag)
    lineage = {"source": options.source, **({"recipe": options.recipe} if options.recipe else {})}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.source)
        if options.source.startswith(HUB):
            folder = fetched(options.source, Path(scratch))  # in files: a registry has no links
        version = registry.publish(folder, options.name, lineage)
    if options.tag:
        registry.tag(options.name, options.tag, version.id)
    return f"{version} in {registry.root}"


def tag(registry: Registry, options: argparse.Namespace) -> str:
    found = registry.tag(options.name, options.tag, options.version)
    return f"{options.tag} means {found}"


def collect(registry: Registry, options: argparse.Namespace) -> str:
    key, served = os.environ.get("BIDE_API_KEY"), []
    for url in options.server:
        state = Checkpoints(Admin(url, key)).state()
        held = [each.partition("/") for each in (state["served"], *state["adapters"])]
        served += [version for name, _, version in held if name == options.name]
    removed = registry.gc(options.name, options.keep, served)
    return f"removed: {', '.join(map(str, removed)) or 'nothing'}"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="bide checkpoints", description=__doc__)
    commands = made.add_subparsers(required=True)
    publishing = commands.add_parser("publish", help="a checkpoint, as the next version of a name")
    publishing.add_argument("source", help="a folder of safetensors, or hf:owner/name")
    publishing.add_argument("name")
    publishing.add_argument("--tag", help="that means this version from now on")
    publishing.add_argument("--recipe", help="that made it: for the manifest")
    publishing.set_defaults(run=publish)
    tagging = commands.add_parser("tag", help="let a tag mean a version")
    tagging.add_argument("name")
    tagging.add_argument("tag")
    tagging.add_argument("version", nargs="?", default="latest")
    tagging.set_defaults(run=tag)
    clearing = commands.add_parser("gc", help="remove versions neither tagged nor served")
    clearing.add_argument("name")
    clearing.add_argument("--keep", type=int, default=5, help="the newest; default: 5")
    clearing.add_argument(
        "--server", action="append", default=[], metavar="URL", help="whose version stays"
    )
    clearing.set_defaults(run=collect)
    for each in (publishing, tagging, clearing):
        each.add_argument("--registry", type=Path, default=Path("checkpoints"))
    return made


if __name__ == "__main__":
    sys.exit(main())
