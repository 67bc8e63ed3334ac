"""What is practised on, numbered: the same number is the same question, for a seed."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from training.config import Practised, Recipe
from training.evaluate.tasks import TaskError, load
from training.world.families import draw


@dataclass(frozen=True, slots=True)
class Practice:
    text: str
    label: str


HELD_OUT = 16
"""One row of a task in so many is never practised on."""


class Questions:
    """Of a stage: the world's training split, or its task's rows but the held-out ones, over and
    over."""

    def __init__(self, recipe: Recipe, stage: Practised) -> None:
        """Raises TaskError for a line that is no question."""
        self._seed = f"{recipe.run.seed}:{stage.name}"
        self._families = stage.families or recipe.families
        self._tilt = stage.hard
        self._task = None if stage.task is None else practised(stage.task)

    def __getitem__(self, number: int) -> Practice:
        rng = random.Random(f"{self._seed}:{number}")
        if self._task is None:
            problem = draw(rng, "train", mix=self._families, tilt=self._tilt)
            return Practice(problem.question, problem.answer)
        return rng.choice(self._task)

    def some(self, start: int, count: int) -> list[Practice]:
        return [self[number] for number in range(start, start + count)]


def practised(task: Path) -> list[Practice]:
    """Raises TaskError for a line that is no question."""
    return [row for row in _rows(task) if not _is_held_out(row)]


def held_out(task: Path | None, count: int) -> list[Practice]:
    """For curves and choices: of a task, rows by a hash of their text; else the world's dev split.

    Raises TaskError where there are none.
    """
    if task is None:
        return [Practice(each.text, each.answer) for each in load("world", count, "dev")]
    found = [row for row in _rows(task) if _is_held_out(row)][:count]
    if not found:
        raise TaskError(f"{task}: has too few rows to hold one in {HELD_OUT} of them out")
    return found


def _is_held_out(row: Practice) -> bool:
    return hashlib.sha256(row.text.encode()).digest()[0] % HELD_OUT == 0


def _rows(path: Path) -> list[Practice]:
    return [Practice(each.text, each.answer) for each in load(str(path), 1 << 62)]
