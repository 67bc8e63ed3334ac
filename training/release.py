"""`python -m training.release RUN NAME`: a finished run becomes the checkpoint that ships.

The folder is an ordinary Hugging Face one, with `manifest.json` beside the weights: what made
them, from which seed and commit, and how they did on held-out problems.
"""

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from training.config import load_recipe
from training.lineage import lineage, summary

RELEASED = Path(__file__).parent / "released"
LARGEST = 16 * 2**20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.release", description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run's folder, such as runs/mini-seed0")
    parser.add_argument("name", help="the folder's name in training/released")
    parser.add_argument("--recipe", type=Path, required=True, help="the TOML that made the run")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--commit", help="that the run was made at; default: the current one")
    parser.add_argument("--note", default="", help="what else one should know of the run")
    parser.add_argument(
        "--results", type=Path, nargs="*", default=[], help="folders that `bide eval` wrote"
    )
    options = parser.parse_args()
    recipe = load_recipe(options.recipe, {"run.seed": options.seed})
    stages = [options.run / stage.name for stage in recipe.stages]
    unfinished = [stage for stage in stages if not (stage / "model").is_dir()]
    if unfinished:
        print(f"{unfinished[0]}: this stage is not finished", file=sys.stderr)
        return 2
    manifest = {
        "name": options.name,
        **lineage(recipe, options.run, options.commit),
        "note": options.note,
        "results": {folder.name: summary(folder) for folder in options.results},
    }
    folder = publish(stages[-1] / "model", RELEASED / options.name, manifest)
    print(f"released: {folder}, {_size(folder) / 2**20:.1f} MB")
    return 0


def publish(model: Path, folder: Path, manifest: dict[str, Any]) -> Path:
    """Written aside and renamed, so that `folder` is never half a checkpoint."""
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(model, unfinished)
    hashes = {path.name: _sha256(path) for path in sorted(unfinished.iterdir())}
    whole = json.dumps({**manifest, "sha256": hashes}, indent=2) + "\n"
    (unfinished / "manifest.json").write_text(whole, encoding="utf-8")
    if _size(unfinished) > LARGEST:
        raise ValueError(f"{unfinished} is over {LARGEST} bytes: too large to ship")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


if __name__ == "__main__":
    sys.exit(main())
