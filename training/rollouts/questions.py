"""What is practised on, numbered: the same number is the same question, for a seed."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.config import Recipe
from training.data.sources import Row, RowError, rows, usable
from training.evaluate.tasks import load
from training.stages import Practised, Source
from training.verifiers import VERIFIERS
from training.world.families import draw


@dataclass(frozen=True, slots=True)
class Practice:
    """verifier: a name of training/verifiers; None for the stage's."""

    text: str
    label: str
    verifier: str | None = None


HELD_OUT = 16
"""One row of a task in so many is never practised on."""


class Questions:
    """Of a stage: the world's training split, or its task's rows but the held-out ones, over and
    over."""

    def __init__(
        self, recipe: Recipe, stage: Practised, fits: Callable[[str], bool] = lambda _: True
    ) -> None:
        """fits: whether a question of a task may be asked; the world's are short.

        Raises RowError for a row that is no question, and where none fits.
        """
        self._seed = f"{recipe.run.seed}:{stage.name}"
        self._families = stage.families or recipe.families
        self._tilt = stage.hard
        self._task = None
        if stage.task:
            self._task = [row for row in practised(stage.task, recipe.run.seed) if fits(row.text)]
            if not self._task:
                raise RowError(
                    f"{stage.name}: no question leaves room for {stage.max_tokens} tokens"
                )

    def __getitem__(self, number: int) -> Practice:
        rng = random.Random(f"{self._seed}:{number}")
        if self._task is None:
            problem = draw(rng, "train", mix=self._families, tilt=self._tilt)
            return Practice(problem.question, problem.answer)
        return rng.choice(self._task)

    def some(self, start: int, count: int) -> list[Practice]:
        return [self[number] for number in range(start, start + count)]


def practised(task: Sequence[Source], seed: int) -> list[Practice]:
    """Raises RowError for a row that is no question."""
    return [row for row in _questions(task, seed) if not _is_held_out(row)]


def held_out(task: Sequence[Source], seed: int, count: int) -> list[Practice]:
    """For curves and choices: of a task, rows by a hash of their text; else the world's dev split.

    Raises RowError where there are none.
    """
    if not task:
        # Not each of the world's answers is what another verifier takes for a label.
        return [Practice(each.text, each.answer, "answer") for each in load("world", count, "dev")]
    # By their hash, since files are often in the order of their sources.
    found = sorted((row for row in _questions(task, seed) if _is_held_out(row)), key=_hash)[:count]
    if not found:
        paths = ", ".join(source.path for source in task)
        raise RowError(f"{paths}: has too few rows to hold one in {HELD_OUT} of them out")
    return found


def _is_held_out(row: Practice) -> bool:
    return _hash(row)[0] % HELD_OUT == 0


def _hash(row: Practice) -> bytes:
    return hashlib.sha256(row.text.encode()).digest()


def _questions(task: Sequence[Source], seed: int) -> list[Practice]:
    return list(usable(rows(task, seed), question_of))


def question_of(row: Row) -> Practice:
    """Of `question`, a text or a list of one message, `answer`, and perhaps `verifier`."""
    answer, verifier = row.values.get("answer"), row.values.get("verifier")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or answer == "":
        raise RowError(f"{row.place}: answer: should be a text or a number")
    if verifier is not None:
        verifier = str(verifier).lower()
        if verifier not in VERIFIERS:
            known = ", ".join(sorted(VERIFIERS))
            raise RowError(f"{row.place}: verifier: no {verifier!r}, only {known}")
    question = row.values.get("question")
    if isinstance(question, list) and len(question) == 1 and isinstance(question[0], dict):
        question = question[0].get("content")
    if not isinstance(question, str) or not question:
        raise RowError(f"{row.place}: question: should be a text, or a list of one message")
    return Practice(question, str(answer), verifier)
