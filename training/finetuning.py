"""Next tokens of rows on TRL: texts for pre- and mid-training, conversations for fine-tuning.

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
from training.data.sources import RowError, rows
from training.on_trl import adapters, on_disk, publish, shared, train
from training.stages import DataStage


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
    recipe: Recipe, stage: DataStage, folder: Path, model: PreTrainedModel, tokenizer: Any
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
    recipe: Recipe, stage: DataStage, tokenizer: Any, report: Report
) -> Iterator[Sequence]:
    """Of all rows, cut to the stage's longest. Raises RowError."""
    renderer = Renderer(tokenizer, stage.thoughts)
    for row in rows(stage.data, recipe.run.seed):
        report.rows += 1
        if stage.kind == "sft":
            whole = list(renderer.sequences(row))
        else:
            ids = tokenizer.encode(row.text("text"), add_special_tokens=False)
            ids = [*ids, int(tokenizer.eos_token_id)]
            whole = [Sequence(ids, ids)]
        for each in whole:
            # Wrapped texts are cut nowhere: what is over goes on in the next sequence.
            fits = len(each.ids) <= stage.longest or (stage.kind != "sft" and stage.packing)
            kept = each if fits else _cut(each, stage.longest, report)
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


def packed(dataset: Dataset, stage: DataStage) -> Dataset:
    """Conversations whole, by the best fit; texts one behind the other, cut where a row ends."""
    dataset = dataset.rename_column("ids", "input_ids")
    if not stage.packing:
        return dataset
    strategy = "bfd" if stage.kind == "sft" else "wrapped"
    return pack_dataset(dataset, stage.longest, strategy)


def arguments(recipe: Recipe, stage: DataStage, folder: Path) -> SFTConfig:
    given = shared(recipe, stage, folder)
    if stage.tokens is not None:
        given["max_steps"] = max(1, stage.tokens // (stage.batch * stage.longest))
    return SFTConfig(
        **given
        | {
            **_schedule(stage),
            "weight_decay": stage.weight_decay,
            "adam_beta2": stage.beta2,
            "max_grad_norm": stage.clip,
        },
        max_length=stage.longest,
        packing=stage.packing,
        packing_strategy="bfd" if stage.kind == "sft" else "wrapped",
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def _schedule(stage: DataStage) -> dict[str, Any]:
    if not stage.final:
        return {"lr_scheduler_type": stage.schedule}
    kwargs = {"min_lr_rate": stage.final}
    return {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": kwargs}
