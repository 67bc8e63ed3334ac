"""What is practised on, numbered: the same number is the same question, for a seed."""

import random
from dataclasses import dataclass
from pathlib import Path

from training.config import Practised, Recipe
from training.evaluate.tasks import load
from training.world.families import draw


@dataclass(frozen=True, slots=True)
class Practice:
    text: str
    label: str


class Questions:
    """Of a stage: the world's training split, or the lines of its task, over and over."""

    def __init__(self, recipe: Recipe, stage: Practised) -> None:
        """Raises TaskError for a line that is no question."""
        self._seed = f"{recipe.run.seed}:{stage.name}"
        self._families = stage.families or recipe.families
        self._tilt = stage.hard
        self._task = None if stage.task is None else _rows(stage.task)

    def __getitem__(self, number: int) -> Practice:
        rng = random.Random(f"{self._seed}:{number}")
        if self._task is None:
            problem = draw(rng, "train", mix=self._families, tilt=self._tilt)
            return Practice(problem.question, problem.answer)
        return rng.choice(self._task)

    def some(self, start: int, count: int) -> list[Practice]:
        return [self[number] for number in range(start, start + count)]


def _rows(path: Path) -> list[Practice]:
    return [Practice(each.text, each.answer) for each in load(str(path), 1 << 62)]
