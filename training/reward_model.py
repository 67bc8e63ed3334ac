"""A reward model on TRL (Bradley-Terry, as InstructGPT's): pairs in, a model of one score out.

PPO starts its values from it.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, set_seed
from trl import RewardConfig, RewardTrainer

from training.config import Recipe
from training.on_trl import adapters, on_disk, paired, publish, train
from training.preferences import Pair, fitting
from training.stages import PreferenceStage


def run_stage(
    recipe: Recipe,
    stage: PreferenceStage,
    folder: Path,
    base: Path,
    tokenizer: Any,
    pairs: Sequence[Pair],
) -> str:
    """Learn, and leave the model in folder/model. Returns a line that sums it up."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = fitting(pairs, stage)
    set_seed(recipe.run.seed)  # its head is fresh
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=torch.float32
    )
    model.config.pad_token_id = tokenizer.pad_token_id
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(max_length=stage.longest, **paired(recipe, stage, folder)),
        train_dataset=whole(on_disk([asdict(pair) for pair in kept], folder)),
        processing_class=tokenizer,
        peft_config=adapters(stage.lora, "SEQ_CLS"),
    )
    updates = train(trainer, folder)
    publish(trainer, stage.lora, tokenizer, folder)
    return f"{stage.name}: {updates} updates on {len(kept)} pairs of {len(pairs)}"


def whole(pairs: Dataset) -> Dataset:
    """Each completion behind its prompt, as the trainer reads them."""

    def joined(row: dict[str, list[int]]) -> dict[str, list[int]]:
        prompt = row["prompt_ids"]
        return {each: prompt + row[each] for each in ("chosen_ids", "rejected_ids")}

    return pairs.map(joined, remove_columns=["prompt_ids"])
