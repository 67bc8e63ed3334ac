"""`python -m training.rl.benchmark`: reinforcement learning here beside TRL's GRPOTrainer.

The same model, questions, groups, lengths and rewards, in turns on the same machine: some steps of
ours, whose completions come from a server beside the learner, then some of TRL's, whose come from
transformers' `generate`. The first step of each turn, which compiles or warms up, is not counted.
A figure is completion tokens drawn a second, of all groups: TRL learns from them all, ours leaves
out those that teach nothing. Ours is compiled and learns in bf16, as it does by default on a CPU;
TRL is given bf16 too, whole batches of completions, and no recomputation.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from training.config import Recipe, base_of, load_recipe
from training.log import read
from training.stages import RlStage

RECIPE = Path(__file__).parents[1] / "recipes" / "mini-rlvr.toml"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.rl.benchmark", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="counted, of each turn")
    parser.add_argument("--micro", type=int, default=64, help="completions TRL learns from at once")
    parser.add_argument("--theirs", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        print(json.dumps(theirs(options.theirs, options.steps, options.micro)))
        return 0
    ratios = []
    for _ in range(options.rounds):
        mine, trl = one_turn(options.steps, options.micro)
        ratios.append(mine["speed"] / trl["speed"])
        print(f"ours {_said(mine)}; TRL {_said(trl)}; {ratios[-1]:.2f}", flush=True)
    middle = statistics.median(ratios)
    print(f"ours / TRL: {middle:.2f} [{min(ratios):.2f}, {max(ratios):.2f}], tokens a second")
    return 0


def _said(turn: dict[str, float]) -> str:
    idle = f", learner idle {turn['idle']:.0%}" if "idle" in turn else ""
    return f"{turn['speed']:.0f} tokens/s, {turn['seconds']:.1f} s a step{idle}"


def one_turn(steps: int, micro: int) -> tuple[dict[str, float], dict[str, float]]:
    """Each in processes of its own, so that neither warms the other up."""
    with tempfile.TemporaryDirectory() as folder:
        mine = ours(Path(folder), steps)
        command = [sys.executable, "-m", "training.rl.benchmark", "--theirs", folder]
        command += ["--steps", str(steps), "--micro", str(micro)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return mine, json.loads(done.stdout.splitlines()[-1])


def ours(folder: Path, steps: int) -> dict[str, float]:
    """As `bide train` does it, from the log; the last step, beside which nothing is drawn, is not
    counted either."""
    said = {"steps": steps + 2, "refills": 0, "held_out": 1, "evaluate_every": 1000}
    given = [f"--set=rlvr.{name}={value}" for name, value in said.items()]
    command = [sys.executable, "-m", "training", str(RECIPE), "--out", str(folder), *given]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (log,) = folder.glob("*/rlvr/log.jsonl")
    first, *rows, _ = (row for row in read(log) if "seconds" in row)
    tokens = sum(row["drawn_tokens"] for row in rows)
    seconds = rows[-1]["elapsed_seconds"] - first["elapsed_seconds"]
    idle = statistics.mean(row["idle"] for row in rows)
    return {"speed": tokens / seconds, "seconds": seconds / len(rows), "idle": idle}


def _recipe() -> tuple[Recipe, RlStage]:
    recipe = load_recipe(RECIPE)
    (stage,) = recipe.stages
    assert isinstance(stage, RlStage)
    return recipe, stage


def theirs(folder: Path, steps: int, micro: int) -> dict[str, float]:
    """TRL's own loop. Its trainer pads a batch to its longest, and drops no group."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from training.rollouts.questions import Questions
    from training.verifiers import named

    recipe, stage = _recipe()
    base = base_of(recipe, RECIPE)
    verifier, tokenizer = named(stage.verifier), AutoTokenizer.from_pretrained(base)
    questions = Questions(recipe, stage).some(0, stage.prompts * (steps + 1))
    rows = [
        {"prompt": [{"role": "user", "content": each.text}], "label": each.label}
        for each in questions
    ]
    tokens: list[int] = []
    at: list[float] = []

    def reward(completion_ids: Any, label: Any, **_: Any) -> list[float]:
        tokens.append(sum(map(len, completion_ids)))
        answers = [tokenizer.decode(ids).rpartition("</think>")[2] for ids in completion_ids]
        return [
            verifier.verify(text, right).score for text, right in zip(answers, label, strict=True)
        ]

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            at.append(time.perf_counter())

    whole = stage.prompts * stage.group
    config = GRPOConfig(
        output_dir=str(folder / "trl"),
        max_steps=steps + 1,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=whole // micro,
        num_generations=stage.group,
        max_completion_length=stage.max_tokens,
        temperature=stage.temperature,
        learning_rate=stage.learning_rate,
        beta=0.0,
        bf16=True,
        gradient_checkpointing=False,
        use_cpu=not torch.cuda.is_available(),
        report_to=[],
        save_strategy="no",
    )
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[Clock()],
    )
    trainer.train()
    counted = at[-1] - at[0]
    return {"speed": sum(tokens[1:]) / counted, "seconds": counted / steps}


if __name__ == "__main__":
    sys.exit(main())
