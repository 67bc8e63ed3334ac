"""Supervised fine-tuning on conversations, on TRL: rows in, a checkpoint out.

The loss is a mean over the loss tokens of all processes and pieces of a batch together (TRL's
`num_items_in_batch`), as the mini world's own loop has it: a mean of means would weigh a token by
the company it is in (open-instruct#1728 lost 15 points of GSM8K by that change).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedModel, set_seed
from trl import SFTConfig, SFTTrainer, pack_dataset

from training.config import Recipe
from training.data.conversations import Renderer, Sequence
from training.data.documents import IGNORE
from training.data.sources import RowError, rows, usable
from training.on_trl import adapters, learning, on_disk, publish, train
from training.stages import ConversationStage


@dataclass
class Report:
    """What became of the rows. cut: sequences longer than the stage's longest; lost: their tokens
    past it; unlearnt: cut before anything that is learnt, and left out."""

    rows: int = 0
    sequences: int = 0
    tokens: int = 0
    cut: int = 0
    lost: int = 0
    unlearnt: int = 0

    def __str__(self) -> str:
        return (
            f"{self.rows} rows, {self.sequences} sequences of {self.tokens} tokens, {self.cut} cut "
            f"({self.lost} tokens lost), {self.unlearnt} left out"
        )


def run_stage(
    recipe: Recipe, stage: ConversationStage, folder: Path, model: PreTrainedModel, tokenizer: Any
) -> str:
    """Learn, and leave the weights in folder/model; killed, the same call goes on from the last
    save. Returns a line that sums it up. Raises RowError and LayoutError."""
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    found = list(sequences(recipe, stage, tokenizer, report))
    if not found:
        raise RowError(f"{stage.name}: nothing is left to learn: {report}")
    set_seed(recipe.run.seed)  # adapters are fresh
    dataset = packed(on_disk([asdict(each) for each in found], folder), stage)
    trainer = SFTTrainer(
        model=model,
        args=arguments(recipe, stage, folder),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=adapters(stage.lora, "CAUSAL_LM"),
    )
    updates = train(trainer, folder)
    publish(trainer, stage.lora, tokenizer, folder)
    fill = report.tokens / (len(dataset) * stage.longest)
    full = f", {fill:.0%} full" if stage.packing else ""
    return f"{stage.name}: {updates} updates on {report}; {len(dataset)} to learn from{full}"


def sequences(
    recipe: Recipe, stage: ConversationStage, tokenizer: Any, report: Report
) -> Iterator[Sequence]:
    """Of all rows, cut to the stage's longest. Raises RowError."""
    renderer = Renderer(tokenizer, stage.thoughts, reflection=stage.reflection)
    found = rows(stage.data, recipe.run.seed)
    for turns in usable(found, lambda row: list(renderer.sequences(row))):
        report.rows += 1
        for whole in turns:
            kept = whole if len(whole.ids) <= stage.longest else _cut(whole, stage.longest, report)
            if all(label == IGNORE for label in kept.labels[1:]):
                report.unlearnt += 1
                continue
            report.sequences += 1
            report.tokens += len(kept.ids)
            yield kept


def _cut(sequence: Sequence, longest: int, report: Report) -> Sequence:
    report.cut += 1
    report.lost += len(sequence.ids) - longest
    return Sequence(sequence.ids[:longest], sequence.labels[:longest])


def packed(dataset: Dataset, stage: ConversationStage) -> Dataset:
    """Conversations whole, by the best fit; each begins at position 0, and sees itself alone."""
    dataset = dataset.rename_column("ids", "input_ids")
    return pack_dataset(dataset, stage.longest, "bfd") if stage.packing else dataset


def arguments(recipe: Recipe, stage: ConversationStage, folder: Path) -> SFTConfig:
    return SFTConfig(
        **learning(recipe, stage, folder),
        num_train_epochs=stage.epochs,
        max_length=stage.longest,
        packing=stage.packing,
        packing_strategy="bfd",
        dataset_kwargs={"skip_prepare_dataset": True},
    )
