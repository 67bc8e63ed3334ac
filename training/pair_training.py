"""What trainers of pairs have in common: their data on disk, adapters, saves, the result."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers.trainer_utils import get_last_checkpoint

from training.config import PreferenceStage, Recipe
from training.preferences import Pair, PairError


def shared(recipe: Recipe, stage: PreferenceStage, folder: Path) -> dict[str, Any]:
    """What trainers of pairs have in common."""
    micro = max(n for n in range(1, stage.micro_batch + 1) if stage.batch % n == 0)
    return {
        "output_dir": str(folder / "resume"),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": stage.batch // micro,
        "num_train_epochs": stage.epochs,
        "learning_rate": stage.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": stage.warmup,
        "weight_decay": 0.0,
        "seed": recipe.run.seed,
        "data_seed": recipe.run.seed,
        "save_steps": stage.save_every,
        "save_total_limit": 1,
        "logging_steps": 1,
        "report_to": [],
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": False,
        "bf16": torch.cuda.is_available(),
    }


def dataset(pairs: Sequence[Pair], folder: Path) -> Dataset:
    """On the disk in the stage's folder, by a hash of its content; TRL keeps beside it what the
    base says of it."""
    rows = [asdict(pair) for pair in pairs]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    home = folder / f"pairs-{digest}"
    if not home.exists():
        unfinished = folder / "pairs.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        Dataset.from_list(rows).save_to_disk(str(unfinished))
        unfinished.rename(home)
    return Dataset.load_from_disk(str(home))


def fitting(pairs: Sequence[Pair], stage: PreferenceStage) -> list[Pair]:
    """Those that are not longer than the stage's longest: half a completion teaches its half.

    Raises PairError where none is left.
    """
    found = [pair for pair in pairs if pair.longest <= stage.longest]
    if not found:
        raise PairError(f"{stage.name}: all {len(pairs)} pairs are over {stage.longest} tokens")
    return found


def adapters(stage: PreferenceStage, task: str) -> LoraConfig | None:
    """task: peft's name for what the model is."""
    if stage.lora is None:
        return None
    return LoraConfig(
        r=stage.lora.rank,
        lora_alpha=stage.lora.alpha,
        target_modules=list(stage.lora.modules),
        task_type=task,
    )


def train(trainer: Any, folder: Path) -> int:
    """To the end, from the last save on if there is one; the log is written whole. Updates done."""
    saves = folder / "resume"
    for save in saves.glob("checkpoint-*"):
        if not _is_whole(save):
            shutil.rmtree(save)
    last = get_last_checkpoint(str(saves)) if saves.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    rows = (json.dumps(row) + "\n" for row in trainer.state.log_history)
    (folder / "log.jsonl").write_text("".join(rows))
    return int(trainer.state.global_step)


def _is_whole(save: Path) -> bool:
    """The trainer writes this file last."""
    try:
        json.loads((save / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True


def publish(trainer: Any, stage: PreferenceStage, tokenizer: Any, folder: Path) -> None:
    """The weights, adapters merged, in folder/model: whole or not at all."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    unfinished = folder / "model.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    (model.merge_and_unload() if stage.lora else model).save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    unfinished.rename(folder / "model")
    shutil.rmtree(folder / "resume", ignore_errors=True)
