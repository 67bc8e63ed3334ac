"""All stages of a recipe in order, each from the folder that the one before it left."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from decoding.reflection import ReflectionNames
from training import pretrain, sft
from training.checks import check_rows
from training.config import Recipe
from training.data.documents import Document
from training.hub import HUB, fetched
from training.loop import run_stage
from training.model import attention, new_model, teach
from training.processes import joined
from training.rl import train as rl
from training.stages import AnyStage, ConversationStage, PreferenceStage, RlStage, Stage, TextStage
from training.tokenizer import build

Documents = Callable[[Recipe, Stage, Tokenizer], Callable[[int], Document]]
Schedule = Callable[[Stage], Callable[[int, int], float]]

KINDS: dict[str, tuple[Documents, Schedule]] = {
    "pretrain": (pretrain.documents, pretrain.schedule),
    "midtrain": (pretrain.documents, pretrain.schedule),
    "sft": (sft.documents, sft.schedule),
}


def run(
    recipe: Recipe,
    folder: Path,
    base: Path | None = None,
    tokenizer: Path | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train, going on where an earlier call was cut off; returns the last stage's model folder.

    base: the folder whose model the first stage trains; None for fresh weights, whose tokenizer's
    folder may be given. say: is told of each stage that is done.
    """
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    check_rows(recipe)
    previous, home = base, folder
    for stage in recipe.stages:
        home = folder / stage.name
        if (home / "model").exists():
            _sweep(home)
        else:
            model, words = _open(recipe, previous, tokenizer)
            if _reflects(stage):
                teach(words, model, ReflectionNames().all)
            torch.compiler.reset()
            say(_run(recipe, stage, home, model, words, previous))
        if stage.kind != "reward-model":  # it judges what the next stage trains
            previous = home / "model"
    return home / "model"


def _reflects(stage: AnyStage) -> bool:
    """Whether what it learns has reflection tokens."""
    if isinstance(stage, Stage):
        return bool(stage.mix.lookups or stage.mix.self_contained)
    return isinstance(stage, ConversationStage) and stage.reflection


def _sweep(home: Path) -> None:
    """What a stage that was killed as it finished has left."""
    if joined().is_first:
        for pattern in ("resume*", "*.unfinished"):
            for left in home.glob(pattern):
                shutil.rmtree(left, ignore_errors=True)


def _run(
    recipe: Recipe,
    stage: AnyStage,
    home: Path,
    model: Any,
    tokenizer: Any,
    base: Path | None,
) -> str:
    """Returns a line that sums the stage up."""
    if isinstance(stage, RlStage):
        judge = None if stage.value_from is None else _judge(home.parent, stage.value_from)
        return rl.run_stage(recipe, stage, home, model, tokenizer, judge)
    if isinstance(stage, PreferenceStage):
        return _prefer(recipe, stage, home, model, tokenizer, base)
    if isinstance(stage, ConversationStage):
        from training import finetuning

        return finetuning.run_stage(recipe, stage, home, model, tokenizer)
    if isinstance(stage, TextStage):
        from training import texts

        return texts.run_stage(recipe, stage, home, model, tokenizer)
    documents, schedule = KINDS[stage.kind]
    read = documents(recipe, stage, tokenizer.backend_tokenizer)
    course = run_stage(recipe, stage, home, model, tokenizer, read, schedule(stage))
    return _summary(stage, course.__dict__)


def _judge(run: Path, named: str) -> Any:
    """Of an earlier stage of that name, in a folder, or of the hub."""
    stage = run / named / "model"
    elsewhere = fetched(named) if named.startswith(HUB) else Path(named)
    return AutoModelForSequenceClassification.from_pretrained(
        stage if stage.is_dir() else elsewhere,
        num_labels=1,
        dtype=torch.float32,
        attn_implementation=attention(),
    )


def _prefer(
    recipe: Recipe,
    stage: PreferenceStage,
    home: Path,
    model: Any,
    tokenizer: Any,
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


def _open(recipe: Recipe, folder: Path | None, words: Path | None) -> tuple[Any, Any]:
    """Model and tokenizer in a folder; fresh weights without one."""
    source = folder or words
    tokenizer = build() if source is None else AutoTokenizer.from_pretrained(source)
    if recipe.chat_template is not None:
        tokenizer.chat_template = recipe.chat_template
    if tokenizer.pad_token_id is None:
        # Not the end of a text where there is another: a reward is read at the last of what is
        # no padding, and that should be the end.
        named = [token for token in tokenizer.get_added_vocab() if "pad" in token.lower()]
        tokenizer.pad_token = named[0] if named else tokenizer.eos_token
    if folder is None:
        assert recipe.model is not None, "a recipe without a base has a model"
        return new_model(recipe.model, tokenizer, recipe.run.seed), tokenizer
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention()
    )
    return model, tokenizer


def _summary(stage: Stage, course: dict[str, int]) -> str:
    shortened = course["shortened"] / max(1, course["documents"])
    padding = course["padding"] / max(1, course["tokens"])
    return (
        f"{stage.name}: {course['step']} steps, {course['tokens'] / 1e6:.1f} M tokens "
        f"({padding:.0%} padding), {course['documents']} documents, {shortened:.2%} shortened"
    )
