"""Where a checkpoint came from: for the manifests of what is published and what ships."""

import json
import subprocess
from pathlib import Path
from typing import Any

from training.config import Recipe
from training.log import read


def lineage(recipe: Recipe, run: Path, commit: str | None = None) -> dict[str, Any]:
    """Of a finished run: its recipe in full, seed, commit, and how each stage ended.

    commit: that the run was made at; default: the current one, where there is git.
    """
    return {
        "recipe": recipe.model_dump(mode="json"),
        "seed": recipe.run.seed,
        "commit": commit or _head(),
        "stages": {stage.name: _end(run / stage.name / "log.jsonl") for stage in recipe.stages},
    }


def _end(log: Path) -> dict[str, Any]:
    """The last value of every figure of a stage's log."""
    last: dict[str, Any] = {}
    for row in read(log):
        last |= row
    return last


def _head() -> str | None:
    """None where a package is installed, and there is no repository."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return found.stdout.strip() or None


def summary(results: Path) -> dict[str, Any]:
    """Of a folder that `bide eval` wrote."""
    found: dict[str, Any] = json.loads((results / "summary.json").read_text())
    kept = ("name", "questions", "accuracy", "low", "high", "tokens")
    settings = [{key: line[key] for key in kept} for line in found["settings"]]
    return {"task": found["task"], "s1": found["s1"], "settings": settings}
