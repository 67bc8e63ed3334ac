"""`python -m tests.training.shared_course FOLDER`: what a stage and a learner do, by however many
processes; printed by the first of them, for test_processes.py."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import END, RIGHT, WRONG, model, recipe, rollout
from training.config import Recipe
from training.log import read
from training.pipeline import run
from training.processes import joined
from training.rl.crew import Crew
from training.rl.learner import Learner
from training.stages import ConversationStage

SHAPE = {"hidden_size": 16, "layers": 2, "heads": 2, "kv_heads": 1, "head_size": 8}
RECIPE = Recipe.model_validate(
    {
        "name": "shared",
        "model": {**SHAPE, "feed_forward": 16},
        "batches": {"tokens": 640, "lengths": [64, 640], "pieces": 2},
        "run": {"compile": False, "threads": 1, "save_every": 3, "log_every": 1},
        "stages": [
            {"name": "adam", "kind": "pretrain", "tokens": 10240, "learning_rate": 0.01}
            | {"warmup": 0.1},
            {"name": "muon", "kind": "sft", "tokens": 10240, "learning_rate": 0.01}
            | {"matrix_learning_rate": 0.02},
        ],
    }
)
BATCH = [
    rollout(RIGHT, END),
    rollout(WRONG, 11, 12, 13, 14, 15, 16, END),
    rollout(RIGHT, 12, END),
    rollout(WRONG, END),
    rollout(*range(20, 30), END),
] * 2
SCORES = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.5]] * 2)
STAGES: dict[str, dict[str, Any]] = {
    "grpo": {"kl": 0.01, "overlap": False},
    "ppo": {"algorithm": "ppo", "value_warmup": 0, "epochs": 2, "minibatches": 2},
}


def course(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Logs of two stages of the mini world, and of a learner by both algorithms."""
    run(RECIPE, folder, say=lambda _: None)
    figures = ("step", "tokens", "documents", "loss")
    told = {}
    for name in ("adam", "muon"):
        rows = read(folder / name / "log.jsonl")
        told[name] = [{figure: row[figure] for figure in figures} for row in rows]
    told["tuned"] = tuned(folder / "tuned")
    return told | {name: learnt(stage, folder / name) for name, stage in STAGES.items()}


def tuned(folder: Path) -> list[dict[str, float]]:
    """The log of a stage on TRL."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"question": f"{n}+1?", "answer": "1" * (n + 1)} for n in range(8)]
    path = folder / "rows.jsonl"
    if joined().is_first:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    joined().wait()
    stage = {"name": "tuned", "kind": "sft", "data": str(path), "batch": 4, "micro_batch": 2}
    stage |= {"learning_rate": 1e-2, "epochs": 2, "longest": 64, "packing": False}
    made = Recipe.model_validate({"name": "shared", "base": ".", "stages": [stage]})
    (only,) = made.stages
    assert isinstance(only, ConversationStage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL warns of vLLM's version, which it does not use here
        from training.finetuning import run_stage

        run_stage(made, only, folder, model(), small_tokenizer())
    figures = ("step", "loss", "learning_rate", "grad_norm")
    return [{each: row[each] for each in figures} for row in read(folder / "log.jsonl")]


def learnt(stage: dict[str, Any], folder: Path) -> list[dict[str, float]]:
    """Figures of five steps, and what the weights come to; saved and restored after the third."""
    folder.mkdir(parents=True, exist_ok=True)
    crew = crew_of(stage, folder)
    if not joined().is_first:
        crew.follow()
        crew = crew_of(stage, folder)
        crew.restore()
        crew.follow()
        return []
    found = [crew.learn(BATCH, SCORES) for _ in range(3)]
    crew.save({})
    joined().told(("dismiss",))
    crew = crew_of(stage, folder)
    crew.restore()
    found += [crew.learn(BATCH, SCORES) for _ in range(2)]
    weights = crew.weights()
    crew.dismiss()
    return [*found, {"weights": float(sum(each.abs().sum() for each in weights.values()))}]


def crew_of(stage: dict[str, Any], folder: Path) -> Crew:
    made, only = recipe(**{"group": 5, "learning_rate": 1e-3, **stage})
    made = made.model_copy(update={"batches": made.batches.model_copy(update={"tokens": 16})})
    return Crew(Learner(made, only, model(), 0), folder, joined())


if __name__ == "__main__":
    result = course(Path(sys.argv[1]))
    if joined().is_first:
        print(json.dumps(result))
    joined().leave()
