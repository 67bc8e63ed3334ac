"""The training loop of stages that read the world: one stage in, one folder of weights out.

A stage's folder holds `log.jsonl`, the same for TensorBoard, `resume-…/` while it runs, and once it
is done `curves.svg` and `model/`. Killed at any moment, the same call goes on from the last saved
step and takes the same course.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from training.config import Recipe
from training.curves import draw
from training.data.batches import Batch, Batcher
from training.data.documents import IGNORE, Document
from training.log import Log, Speed, progress
from training.optim import optimizers, scale
from training.processes import Processes, can_compile, joined
from training.saves import LayoutError, Saves, aside, put_back, tensors_of
from training.stages import Stage

Summed = Callable[[Batch], Tensor]
"""The loss of a batch, summed over its loss tokens."""


@dataclass
class Course:
    """How far a stage has come, over all processes."""

    step: int = 0
    tokens: int = 0
    documents: int = 0
    shortened: int = 0
    padding: int = 0

    def advance(self, tokens: int, documents: int, shortened: int, padding: int) -> None:
        self.step += 1
        self.tokens += tokens
        self.documents += documents
        self.shortened += shortened
        self.padding += padding


def run_stage(
    recipe: Recipe,
    stage: Stage,
    folder: Path,
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    read: Callable[[int], Document],
    schedule: Callable[[int, int], float],
    processes: Processes | None = None,
) -> Course:
    """Train `model` on the documents of `read` for `stage.tokens`, and save it in folder/model.

    schedule: (step, steps) -> factor of the peak learning rate. processes: default: those that
    torchrun started. Raises LayoutError.
    """
    processes, sizes = processes or joined(), recipe.batches
    if sizes.pieces % processes.count:
        raise LayoutError(
            f"batches.pieces: {sizes.pieces} pieces are not shared evenly by {processes.count} "
            "processes; say a multiple"
        )
    batcher = Batcher(read, sizes, int(tokenizer.pad_token_id), processes.rank, processes.count)
    shown = processes.is_first
    folder.mkdir(parents=True, exist_ok=True)
    processes.share(model, compiled=recipe.run.compile)
    state = State(folder, model, optimizers(model, stage), batcher, Course(), processes)
    state.resume()
    course, log, speed = state.course, Log(folder, shown=shown), Speed()
    log.resume(course.step)
    steps = stage.tokens // (sizes.tokens * sizes.pieces)
    loss_of = _loss_function(model, processes, recipe.run.compile)
    batches = iter(batcher)
    with progress(stage.name, steps, course.step, shown=shown) as bar:
        while course.step < steps:
            scale(state.optimisers, schedule(course.step, steps))
            pieces = list(islice(batches, sizes.pieces // processes.count))
            loss = take_step(processes, state, loss_of, pieces, stage.clip)
            bar.update(bar.task_ids[0], completed=course.step)
            if course.step % recipe.run.log_every == 0 or course.step == steps:
                rate = state.optimisers[-1].param_groups[0]["lr"]
                fast = speed.look(course.tokens)
                log.write(
                    **asdict(course), loss=loss, learning_rate=rate, tokens_per_second=round(fast)
                )
            if course.step % recipe.run.save_every == 0:
                state.save()
    state.publish(tokenizer)
    return course


def _loss_function(network: nn.Module, processes: Processes, compiled: bool) -> Summed:
    device = processes.device

    def summed(ids: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(input_ids=ids, use_cache=False).logits
        return functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORE, reduction="sum"
        )

    # A shared model's layers are compiled each, between the gathering of one and the next.
    ready = compiled and processes.count == 1 and can_compile(device)
    function = torch.compile(summed, dynamic=False) if ready else summed
    return lambda batch: function(batch.ids.to(device), batch.labels.to(device))


def take_step(
    processes: Processes,
    state: "State",
    loss_of: Summed,
    pieces: Sequence[Batch],
    clip: float,
) -> float:
    """One update on the mean over the loss tokens of all pieces of all processes, whatever the
    layout; returns that mean."""
    counts = torch.tensor([_counts(each) for each in pieces]).sum(dim=0).to(processes.device)
    learnt, *rest = processes.total(counts).tolist()
    mean = torch.zeros((), device=processes.device)
    for piece in pieces:
        # Gradients are averaged over processes, so each one's share is scaled up by their number.
        loss = loss_of(piece) / max(1, learnt)
        (loss * processes.count).backward()
        mean += loss.detach()
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), clip)
    for each in state.optimisers:
        each.step()
        each.zero_grad()
    state.course.advance(*rest)
    return float(processes.total(mean))


def _counts(batch: Batch) -> tuple[int, ...]:
    """Loss tokens first, then what a course counts."""
    learnt = int((batch.labels != IGNORE).sum())
    return learnt, batch.ids.numel(), batch.documents, batch.shortened, batch.padding


@dataclass
class State:
    """Of a stage that runs: all that a resumed one needs."""

    folder: Path
    model: Qwen3ForCausalLM
    optimisers: list[torch.optim.Optimizer]
    batcher: Batcher
    course: Course
    processes: Processes

    @property
    def saves(self) -> Saves:
        return Saves(self.folder, self.processes)

    def save(self) -> None:
        own = {"batcher": self.batcher.state_dict(), "course": asdict(self.course)}
        self.saves.write(self.course.step, tensors_of(self.model, *self.optimisers), own)

    def resume(self) -> None:
        """From the last save, if there is one. Raises LayoutError."""
        if not self.saves:
            return
        tensors = tensors_of(self.model, *self.optimisers)
        own = self.saves.read(tensors)
        put_back(tensors, self.model, *self.optimisers)
        self.batcher.load_state_dict(own["batcher"])
        self.course = Course(**own["course"])

    def publish(self, tokenizer: Any) -> None:
        """The weights in folder/model: whole or not at all."""
        weights = self.processes.gathered(self.model)
        if self.processes.is_first:
            with aside(self.folder / "model") as unfinished:
                self.model.save_pretrained(unfinished, state_dict=weights)
                tokenizer.save_pretrained(unfinished)
                draw(self.folder / "log.jsonl", self.folder / "curves.svg")
            self.saves.drop()
        self.processes.wait()
