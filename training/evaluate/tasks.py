"""What is asked: held-out problems of the mini world, or any JSONL of questions and answers."""

import json
from dataclasses import dataclass
from pathlib import Path

from training.world.families import exam
from training.world.problem import Split

WORLD = {"world": "seen", "world-unseen": "unseen", "world-longer": "longer"}
"""Held-out problems in wordings and lengths as trained on; in unseen wordings; longer ones."""


class TaskError(ValueError):
    """A task that cannot be read; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Question:
    number: int
    text: str
    answer: str
    kind: str


def load(task: str, size: int, split: Split = "test") -> list[Question]:
    """Raises TaskError for an unknown task or a bad line."""
    if task in WORLD:
        problems = exam(size, split=split, variant=WORLD[task])
        return [
            Question(number, problem.question, problem.answer, problem.family)
            for number, problem in enumerate(problems)
        ]
    path = Path(task)
    if not path.is_file():
        raise TaskError(f"{task}: no such file, and not one of {', '.join(WORLD)}")
    lines = path.read_text(encoding="utf-8").splitlines()[:size]
    return [_read(path, number, line) for number, line in enumerate(lines)]


def _read(path: Path, number: int, line: str) -> Question:
    """A row of {question, answer}; of a GSM8K answer, what follows the last ####."""
    try:
        row = json.loads(line)
        question, answer = row["question"], str(row["answer"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise TaskError(
            f"{path}:{number + 1}: should be a JSON object with question and answer: {error}"
        ) from error
    return Question(number, question, answer.rpartition("####")[2].strip(), path.stem)
