"""All stages of a recipe in order, each from the folder that the one before it left."""

from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
)

from training import pretrain, sft
from training.config import AnyStage, PreferenceStage, Recipe, RlStage, Stage
from training.data.documents import Document
from training.loop import run_stage
from training.model import new_model
from training.rl import train as rl
from training.tokenizer import build

Documents = Callable[[Recipe, Stage, Tokenizer], Callable[[int], Document]]
Schedule = Callable[[Stage], Callable[[int, int], float]]

KINDS: dict[str, tuple[Documents, Schedule]] = {
    "pretrain": (pretrain.documents, pretrain.schedule),
    "midtrain": (pretrain.documents, pretrain.schedule),
    "sft": (sft.documents, sft.schedule),
}


def run(recipe: Recipe, folder: Path, base: Path | None = None) -> Path:
    """Train, going on where an earlier call was cut off; returns the last stage's model folder.

    base: the folder whose model the first stage trains; None for fresh weights.
    """
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    previous = base
    for stage in recipe.stages:
        home = folder / stage.name
        if not (home / "model").exists():
            model, tokenizer = _open(recipe, previous)
            torch.compiler.reset()
            print(_run(recipe, stage, home, model, tokenizer, previous))
        if stage.kind != "reward-model":  # it judges what the next stage trains
            previous = home / "model"
    assert previous is not None, "a recipe has at least one stage"
    return previous


def _run(
    recipe: Recipe,
    stage: AnyStage,
    home: Path,
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    base: Path | None,
) -> str:
    """Returns a line that sums the stage up."""
    if isinstance(stage, RlStage):
        judge = None if stage.value_from is None else _judge(home.parent, stage.value_from)
        return rl.run_stage(recipe, stage, home, model, tokenizer, judge)
    if isinstance(stage, PreferenceStage):
        return _prefer(recipe, stage, home, model, tokenizer, base)
    documents, schedule = KINDS[stage.kind]
    read = documents(recipe, stage, tokenizer.backend_tokenizer)
    course = run_stage(recipe, stage, home, model, tokenizer, read, schedule(stage))
    return _summary(stage, course.__dict__)


def _judge(run: Path, named: str) -> Qwen3ForSequenceClassification:
    """Of an earlier stage of that name, or in a folder."""
    stage = run / named / "model"
    return Qwen3ForSequenceClassification.from_pretrained(
        stage if stage.is_dir() else named,
        num_labels=1,
        dtype=torch.float32,
        attn_implementation="eager",
    )


def _prefer(
    recipe: Recipe,
    stage: PreferenceStage,
    home: Path,
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    base: Path | None,
) -> str:
    from training import dpo, reward_model
    from training.preferences import pairs_of

    assert base is not None, "preferences are the second stage at the earliest"
    home.mkdir(parents=True, exist_ok=True)
    pairs = pairs_of(recipe, stage, base, home, tokenizer)
    if stage.kind == "dpo":
        return dpo.run_stage(recipe, stage, home, model, tokenizer, pairs)
    return reward_model.run_stage(recipe, stage, home, base, tokenizer, pairs)


def _open(recipe: Recipe, folder: Path | None) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerFast]:
    if folder is None:
        assert recipe.model is not None, "a recipe without a base has a model"
        tokenizer = build()
        return new_model(recipe.model, tokenizer, recipe.run.seed), tokenizer
    model = Qwen3ForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    return model, AutoTokenizer.from_pretrained(folder)


def _summary(stage: Stage, course: dict[str, int]) -> str:
    shortened = course["shortened"] / max(1, course["documents"])
    padding = course["padding"] / max(1, course["tokens"])
    return (
        f"{stage.name}: {course['step']} steps, {course['tokens'] / 1e6:.1f} M tokens "
        f"({padding:.0%} padding), {course['documents']} documents, {shortened:.2%} shortened"
    )
