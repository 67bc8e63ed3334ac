"""`python -m tests.training.rl.shared_learner FOLDER`: what a learner does.

Printed by the first of however many processes, for test_processes.py.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.training.rl.small import END, RIGHT, WRONG, model, recipe, rollout
from training.processes import joined
from training.rl.crew import Crew
from training.rl.learner import Learner

BATCH = [
    rollout(RIGHT, END),
    rollout(WRONG, 11, 12, 13, 14, 15, 16, END),
    rollout(RIGHT, 12, END),
    rollout(WRONG, END),
    rollout(*range(20, 30), END),
] * 2
SCORES = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.5]] * 2)

STAGES: tuple[dict[str, Any], ...] = (
    {"kl": 0.01, "overlap": False, "learning_rate": 1e-3},
    {"algorithm": "ppo", "value_warmup": 0, "epochs": 2, "minibatches": 2, "learning_rate": 1e-3},
)


def course(folder: Path) -> list[dict[str, float]]:
    """Figures of five steps of both algorithms, and what the weights come to; saved and restored
    after the third."""
    found: list[dict[str, float]] = []
    for number, stage in enumerate(STAGES):
        home = folder / str(number)
        home.mkdir(parents=True, exist_ok=True)
        crew = _crew(stage, home)
        if not joined().is_first:
            crew.follow()
            crew = _crew(stage, home)
            crew.restore()
            crew.follow()
            continue
        found += [crew.learn(BATCH, SCORES) for _ in range(3)]
        crew.save({})
        joined().told(("dismiss",))
        crew = _crew(stage, home)
        crew.restore()
        found += [crew.learn(BATCH, SCORES) for _ in range(2)]
        weights = crew.weights()
        found.append({"weights": float(sum(each.abs().sum() for each in weights.values()))})
        crew.dismiss()
    return found


def _crew(stage: dict[str, Any], folder: Path) -> Crew:
    made, only = recipe(**{"group": 5, **stage})
    made = made.model_copy(update={"batches": made.batches.model_copy(update={"tokens": 16})})
    return Crew(Learner(made, only, model(), 0), folder, joined())


if __name__ == "__main__":
    result = course(Path(sys.argv[1]))
    if joined().is_first:
        print(json.dumps(result))
    joined().leave()
