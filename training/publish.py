"""`python -m training.publish FOLDER NAME`: a checkpoint becomes a version of a registry."""

import argparse
import sys
from pathlib import Path

from training.registry import Registry, RegistryError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.publish", description=__doc__)
    parser.add_argument("folder", type=Path, help="a checkpoint, in safetensors")
    parser.add_argument("name", help="in the registry")
    parser.add_argument("--registry", type=Path, default=Path("checkpoints"))
    parser.add_argument("--tag", help="that means this version from now on")
    parser.add_argument("--recipe", help="that made it: for the manifest")
    options = parser.parse_args()
    lineage = {"recipe": options.recipe} if options.recipe else {}
    registry = Registry(options.registry)
    try:
        version = registry.publish(options.folder, options.name, lineage)
        if options.tag:
            registry.tag(options.name, options.tag, version.id)
    except RegistryError as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    print(f"{version} in {options.registry}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
