"""What a recipe would take, without a weight or a row of it: `bide train RECIPE --dry-run`.

The model is built on the meta device, so its parameters are counted and not guessed. Memory is an
estimate of what stays on each GPU, sharded by FSDP2 over all of them; the rest is arithmetic.
"""

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from training.config import Recipe, RecipeError, base_of
from training.hub import HUB
from training.model import config_of
from training.stages import (
    AnyStage,
    ConversationStage,
    PreferenceStage,
    RlStage,
    Stage,
    TextStage,
)

GIB = 2**30
LEARNING = 16
"""Bytes of a parameter that learns: itself, its gradient and AdamW's two moments in 32 bits."""
STILL = 4
"""Bytes of a parameter that does not: a reference, the weights that drew the batch."""
FRESH_VOCABULARY = 570
"""Tokens of the mini world's tokenizer, near enough to count parameters with."""


@dataclass(frozen=True, slots=True)
class Plan:
    """updates, tokens: None where only the data tell; tokens: at most, padding too.

    memory: bytes on each GPU.
    """

    stage: AnyStage
    updates: int | None
    tokens: int | None
    memory: float

    def __str__(self) -> str:
        updates = "as the data say" if self.updates is None else f"{self.updates:,}"
        if getattr(self.stage, "packing", False) and self.updates is not None:
            updates = f"at most {updates}"
        tokens = "as the data say" if self.tokens is None else f"{_short(self.tokens)} at most"
        named = f"{self.stage.name} ({self.stage.kind})"
        return f"{named:28} {updates:>18} updates  {tokens:>18}  {self.memory / GIB:6.1f} GiB"


@dataclass(frozen=True, slots=True)
class Sizes:
    """parameters: of the whole model; layer: of one layer; the rest as configs name them."""

    parameters: int
    layer: int
    layers: int
    hidden: int
    feed_forward: int
    vocabulary: int


def describe(recipe: Recipe, path: Path) -> Iterator[str]:
    """Lines to print. Raises RecipeError where the recipe does not say what the model is, and for
    batches that its processes cannot share."""
    sizes = measured(recipe, path)
    processes = max(1, recipe.run.nodes * recipe.run.gpus)
    where = f"{recipe.run.nodes} x {recipe.run.gpus} GPUs" if recipe.run.gpus else "CPU"
    yield f"{recipe.name}: {_short(sizes.parameters)} parameters, on {where}"
    for stage in recipe.stages:
        _check_layout(stage, recipe, processes, path)
        yield f"  {plan(stage, recipe, sizes, processes)}"
    yield f"launch: {launch(recipe, path)}"
    hosts = max((_host(stage, recipe, sizes) for stage in recipe.stages), default=0.0)
    yield f"memory of each machine while models are loaded: {hosts / GIB:,.0f} GiB"
    for stage in recipe.stages:
        if isinstance(stage, RlStage) and stage.servers:
            yield f"first, for {stage.name}: {server(stage, recipe)}"


def measured(recipe: Recipe, path: Path) -> Sizes:
    config = _config(recipe, path)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return Sizes(
        sum(each.numel() for each in model.parameters()),
        sum(each.numel() for each in model.model.layers[0].parameters()),
        config.num_hidden_layers,
        config.hidden_size,
        config.intermediate_size,
        config.vocab_size,
    )


def _config(recipe: Recipe, path: Path) -> Any:
    if recipe.model is not None:
        return config_of(recipe.model, FRESH_VOCABULARY)
    if recipe.base is None or recipe.base.startswith(HUB):
        unknown = f"say in [model] what {recipe.base} is: a dry run fetches nothing"
        raise RecipeError(f"{path}: {unknown}")
    return AutoConfig.from_pretrained(base_of(recipe, path))


def _check_layout(stage: AnyStage, recipe: Recipe, processes: int, path: Path) -> None:
    batch = recipe.batches.pieces if isinstance(stage, Stage) else getattr(stage, "batch", 0)
    if batch % processes:
        message = f"a batch of {batch} is not shared evenly by {processes} processes"
        raise RecipeError(f"{path}: {stage.name}: {message}")


def plan(stage: AnyStage, recipe: Recipe, sizes: Sizes, processes: int) -> Plan:
    rows, longest, learners, still = _load(stage, recipe)
    updates, tokens = _course(stage, recipe)
    lora = getattr(stage, "lora", None)
    kept = learners * LEARNING + still * STILL
    if lora is not None:
        kept = STILL  # adapters are small beside the weights
    memory = kept * sizes.parameters / processes
    return Plan(stage, updates, tokens, memory + activations(sizes, rows, longest))


def activations(sizes: Sizes, rows: int, longest: int) -> float:
    """Bytes, with checkpointing: each layer's input, one layer in full, its gathered weights in 32
    bits, and the logits in 16 bits and 32 with their gradient."""
    positions = rows * longest
    inputs = 2 * sizes.layers * sizes.hidden * positions
    one = 2 * positions * (8 * sizes.hidden + 3 * sizes.feed_forward)
    return inputs + one + 4 * sizes.layer + 10 * sizes.vocabulary * positions


def _load(stage: AnyStage, recipe: Recipe) -> tuple[int, int, int, int]:
    """Rows and length of what is in memory at once; models that learn, and that do not."""
    match stage:
        case ConversationStage() | TextStage():
            return stage.micro_batch, stage.longest, 1, 0
        case PreferenceStage():
            return 2 * stage.micro_batch, stage.longest, 1, 0
        case RlStage():
            ppo = stage.algorithm == "ppo"
            return 1, recipe.batches.tokens, 2 if ppo else 1, 2 if stage.kl else 1
        case Stage():
            return 1, recipe.batches.tokens, 1, 0


def _host(stage: AnyStage, recipe: Recipe, sizes: Sizes) -> float:
    """Bytes: every process of a machine loads the model whole before it keeps its part, and the
    learner copies it for what it does not learn."""
    copies = sum(_load(stage, recipe)[2:])
    return max(1, recipe.run.gpus) * copies * STILL * sizes.parameters


def _course(stage: AnyStage, recipe: Recipe) -> tuple[int | None, int | None]:
    """Updates and tokens."""
    match stage:
        case TextStage():
            return stage.tokens // (stage.batch * stage.longest), stage.tokens
        case Stage():
            return stage.tokens // (recipe.batches.tokens * recipe.batches.pieces), stage.tokens
        case ConversationStage():
            used = [source.used for source in stage.data]
            updates = _updates(used, stage.epochs, stage.batch)
            return updates, updates and updates * stage.batch * stage.longest
        case PreferenceStage():
            used = [source.used for source in stage.pairs] or [stage.prompts]
            updates = _updates(used, stage.epochs, stage.batch)
            return updates, updates and 2 * updates * stage.batch * stage.longest
        case RlStage():
            updates = stage.steps * stage.epochs * stage.minibatches
            return updates, stage.steps * stage.prompts * stage.group * stage.max_tokens


def _updates(used: list[int | None], epochs: float, batch: int) -> int | None:
    """None where a source does not say how many rows it has."""
    known = [rows for rows in used if rows is not None]
    if len(known) < len(used):
        return None
    return math.ceil(epochs * math.ceil(sum(known) / batch))


def launch(recipe: Recipe, path: Path) -> str:
    train = f"-m training {shlex.quote(str(path))}"
    run = recipe.run
    if run.nodes * run.gpus <= 1:
        return f"bide train {shlex.quote(str(path))}"
    if run.nodes == 1:
        return f"torchrun --standalone --nproc-per-node {run.gpus} {train}"
    meet = "--rdzv-backend c10d --rdzv-endpoint FIRST_NODE:29500"
    return f"torchrun --nnodes {run.nodes} --nproc-per-node {run.gpus} {meet} {train}"


def server(stage: RlStage, recipe: Recipe) -> str:
    """The command whose servers the stage's rollouts come from."""
    return (
        f"bide serve --registry {stage.registry} --model the-checkpoint-before "
        f"--max-model-len {recipe.batches.lengths[-1]}  # at {', '.join(stage.servers)}"
    )


def _short(count: int) -> str:
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count)
