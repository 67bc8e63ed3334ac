"""What stages on TRL have in common: rows in, a checkpoint out, on one process or on many."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from training.config import Recipe
from training.curves import draw
from training.log import Log
from training.processes import joined
from training.saves import LayoutError, aside
from training.stages import DataStage, Lora, PreferenceStage


def shared(recipe: Recipe, stage: DataStage | PreferenceStage, folder: Path) -> dict[str, Any]:
    """The trainers' common arguments. Raises LayoutError."""
    processes = joined()
    if stage.batch % processes.count:
        raise LayoutError(
            f"{stage.name}: a batch of {stage.batch} is not shared evenly by {processes.count} "
            "processes; say a multiple"
        )
    on_gpu = torch.cuda.is_available()
    if stage.lora is not None and on_gpu and processes.count > 1:
        # FSDP2 shards what peft would have to merge, and TRL asks the base before it is placed.
        raise LayoutError(f"{stage.name}: adapters are learnt by one process; leave torchrun out")
    own = stage.batch // processes.count
    micro = max(n for n in range(1, min(own, stage.micro_batch) + 1) if own % n == 0)
    return {
        "output_dir": str(folder / "resume"),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": own // micro,
        "learning_rate": stage.learning_rate,
        "warmup_steps": stage.warmup,
        "seed": recipe.run.seed,
        "data_seed": recipe.run.seed,
        "save_steps": stage.save_every,
        "save_total_limit": 1,
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": not processes.is_first,
        "use_cpu": not on_gpu,
        "gradient_checkpointing": on_gpu,
        "bf16": on_gpu,
        # accelerate has FSDP on accelerators alone: processes on CPUs hold a whole model each.
        **(FSDP if on_gpu and processes.count > 1 else {}),
    }


def learning(recipe: Recipe, stage: DataStage, folder: Path) -> dict[str, Any]:
    """Arguments of stages that learn next tokens. Raises LayoutError."""
    schedule: dict[str, Any] = {"lr_scheduler_type": stage.schedule}
    if stage.final:
        kwargs = {"min_lr_rate": stage.final}
        schedule = {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": kwargs}
    return {
        **shared(recipe, stage, folder),
        **schedule,
        "weight_decay": stage.weight_decay,
        "adam_beta2": stage.beta2,
        "max_grad_norm": stage.clip,
    }


def paired(recipe: Recipe, stage: PreferenceStage, folder: Path) -> dict[str, Any]:
    """Arguments of stages that learn from pairs. Raises LayoutError."""
    return {
        **shared(recipe, stage, folder),
        "num_train_epochs": stage.epochs,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
    }


FSDP: dict[str, Any] = {
    "fsdp": "full_shard auto_wrap",
    "fsdp_config": {"fsdp_version": 2, "state_dict_type": "SHARDED_STATE_DICT"},
}


def on_disk(rows: Sequence[dict[str, Any]], folder: Path) -> Dataset:
    """In the stage's folder, by a hash of its content; TRL keeps beside it what it computes of
    it. Written by the first process, read by all."""
    processes = joined()
    home = folder / f"rows-{_digest(rows)}"
    if processes.is_first and not home.exists():
        with aside(home) as unfinished:
            Dataset.from_list(list(rows)).save_to_disk(str(unfinished))
    processes.wait()
    return Dataset.load_from_disk(str(home))


def _digest(rows: Iterable[dict[str, Any]]) -> str:
    found = hashlib.sha256()
    for row in rows:
        found.update(json.dumps(row).encode())
    return found.hexdigest()[:16]


def adapters(lora: Lora | None, task: str) -> LoraConfig | None:
    """task: peft's name for what the model is."""
    if lora is None:
        return None
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=list(lora.modules), task_type=task
    )


class _Logged(TrainerCallback):  # type: ignore[misc]
    """What the trainer logs, in the stage's own log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def on_train_begin(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        self._log.resume(state.global_step)

    def on_log(self, _: Any, state: Any, *__: Any, logs: dict[str, Any], **___: Any) -> None:
        figures = {name: float(value) for name, value in logs.items()}
        if "train_runtime" not in figures:  # of this process alone, and not of a resumed run
            self._log.write(step=state.global_step, **figures)


def train(trainer: Any, folder: Path) -> int:
    """To the end, from the last save on if there is one. Updates done."""
    processes, saves = joined(), folder / "resume"
    if processes.is_first:
        for save in saves.glob("checkpoint-*"):
            if not _is_whole(save):
                shutil.rmtree(save)
    processes.wait()
    last = get_last_checkpoint(str(saves)) if saves.is_dir() else None
    trainer.add_callback(_Logged(Log(folder, shown=processes.is_first)))
    trainer.train(resume_from_checkpoint=last)
    return int(trainer.state.global_step)


def _is_whole(save: Path) -> bool:
    """The trainer writes this file last."""
    try:
        json.loads((save / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True


def publish(trainer: Any, lora: Lora | None, tokenizer: Any, folder: Path) -> None:
    """The weights in folder/model, whole or not at all; with LoRA the adapter is merged there, and
    stands alone in folder/adapter."""
    processes = joined()
    weights = trainer.accelerator.get_state_dict(trainer.model)
    if processes.is_first:
        model = trainer.accelerator.unwrap_model(trainer.model)
        if lora is not None:
            model.load_state_dict(weights)
            shutil.rmtree(folder / "adapter", ignore_errors=True)  # of a run that ended right here
            with aside(folder / "adapter") as unfinished:
                model.save_pretrained(unfinished, selected_adapters=["default"])
        with aside(folder / "model") as unfinished:
            if lora is not None:
                model.merge_and_unload().save_pretrained(unfinished)
            else:
                model.save_pretrained(unfinished, state_dict=weights)
            tokenizer.save_pretrained(unfinished)
            draw(folder / "log.jsonl", folder / "curves.svg")
        shutil.rmtree(folder / "resume", ignore_errors=True)
    processes.wait()
