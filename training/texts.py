"""Pre- and mid-training on texts, on TRL: streamed, mixed by their share of the tokens, wrapped.

Nothing is held but the text that is being cut up. Every process reads the whole stream and keeps
its part of each batch. Killed, a run reads again what it had read, and goes on from the last save.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import IterableDataset
from transformers import PreTrainedModel, set_seed
from trl import SFTConfig, SFTTrainer

from training.config import Recipe
from training.data.sources import stream
from training.on_trl import adapters, learning, publish, train
from training.stages import TextStage


def run_stage(
    recipe: Recipe, stage: TextStage, folder: Path, model: PreTrainedModel, tokenizer: Any
) -> str:
    """Learn, and leave the weights in folder/model; killed, the same call goes on from the last
    save. Returns a line that sums it up. Raises RowError and LayoutError."""
    folder.mkdir(parents=True, exist_ok=True)
    set_seed(recipe.run.seed)  # adapters are fresh
    given = {"stage": stage, "tokenizer": tokenizer, "seed": recipe.run.seed}
    trainer = SFTTrainer(
        model=model,
        args=arguments(recipe, stage, folder),
        train_dataset=IterableDataset.from_generator(sequences, gen_kwargs=given),
        processing_class=tokenizer,
        peft_config=adapters(stage.lora, "CAUSAL_LM"),
    )
    updates = train(trainer, folder)
    publish(trainer, stage.lora, tokenizer, folder)
    return f"{stage.name}: {updates} updates, {updates * stage.batch * stage.longest} tokens"


def sequences(stage: TextStage, tokenizer: Any, seed: int) -> Iterator[dict[str, list[int]]]:
    """Of `longest` tokens each, for ever. Raises RowError for a row without a text."""
    waiting: list[int] = []
    for ids in mixed(stage, tokenizer, seed):
        waiting += ids
        while len(waiting) >= stage.longest:
            found, waiting = waiting[: stage.longest], waiting[stage.longest :]
            yield {"input_ids": found, "labels": found}


def mixed(stage: TextStage, tokenizer: Any, seed: int) -> Iterator[list[int]]:
    """Texts with their end, of whichever source is furthest behind its share of the tokens."""
    sources = stage.data
    streams = [stream(source, "text", seed=seed, shuffled=stage.shuffled) for source in sources]
    seen = [0.0] * len(sources)
    end = int(tokenizer.eos_token_id)
    while True:
        next_one = seen.index(min(seen))
        text = next(streams[next_one])
        ids = [*tokenizer.encode(text, add_special_tokens=False), end]
        seen[next_one] += len(ids) / (sources[next_one].share or 1.0)
        yield ids


def arguments(recipe: Recipe, stage: TextStage, folder: Path) -> SFTConfig:
    return SFTConfig(
        **learning(recipe, stage, folder),
        max_steps=max(1, stage.tokens // (stage.batch * stage.longest)),
        max_length=stage.longest,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
