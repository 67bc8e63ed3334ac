"""The training loop that every stage shares: one stage in, one folder of weights out.

A stage's folder holds `log.jsonl`, `resume/` while it runs, and `model/` once it is done. Killed
at any moment, the same call goes on from the last saved step and takes the same course.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as functional
from accelerate import Accelerator
from rich.progress import Progress, TextColumn
from torch import nn
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from training.config import Recipe, Stage
from training.data.batches import Batch, Batcher
from training.data.documents import IGNORE, Document
from training.optim import optimizers, scale


@dataclass
class Course:
    """How far a stage has come."""

    step: int = 0
    tokens: int = 0
    documents: int = 0
    shortened: int = 0
    padding: int = 0

    def state_dict(self) -> dict[str, int]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.__dict__.update(state)

    def advance(self, batch: Batch, processes: int) -> None:
        self.step += 1
        self.tokens += batch.ids.numel() * processes
        self.documents += batch.documents * processes
        self.shortened += batch.shortened * processes
        self.padding += batch.padding * processes


def run_stage(
    recipe: Recipe,
    stage: Stage,
    folder: Path,
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    read: Callable[[int], Document],
    schedule: Callable[[int, int], float],
) -> Course:
    """Train `model` on the documents of `read` for `stage.tokens`, and save it in folder/model.

    schedule: (step, steps) -> factor of the peak learning rate.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    batcher = Batcher(
        read,
        recipe.batches,
        int(tokenizer.pad_token_id),
        accelerator.process_index,
        accelerator.num_processes,
    )
    course = Course()
    prepared = accelerator.prepare(model, *optimizers(model, stage))
    network, optimiser = prepared[0], list(prepared[1:])
    accelerator.register_for_checkpointing(batcher, course)
    folder.mkdir(parents=True, exist_ok=True)
    _resume(accelerator, folder)
    log = Log(folder / "log.jsonl", course.step)
    steps = stage.tokens // (recipe.batches.tokens * accelerator.num_processes)
    loss_of = _loss_function(network, recipe.run.compile)
    batches = iter(batcher)
    with _progress(stage.name, steps, course.step, accelerator.is_main_process) as tick:
        while course.step < steps:
            scale(optimiser, schedule(course.step, steps))
            batch = next(batches)
            loss = take_step(accelerator, network, optimiser, loss_of, batch, stage.clip)
            course.advance(batch, accelerator.num_processes)
            tick()
            if course.step % recipe.run.log_every == 0 or course.step == steps:
                log.write(course, loss, optimiser)
            if course.step % recipe.run.save_every == 0:
                _save(accelerator, folder, course.step)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        _publish(accelerator.unwrap_model(network), tokenizer, folder)
    accelerator.wait_for_everyone()
    return course


def _loss_function(network: nn.Module, compiled: bool) -> Callable[[Batch], torch.Tensor]:
    device = next(network.parameters()).device

    def summed(ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(input_ids=ids, use_cache=False).logits
        return functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORE, reduction="sum"
        )

    # Inductor needs a C++ compiler on CPU; without one the same loop runs, only slower.
    ready = compiled and (device.type != "cpu" or shutil.which("g++"))
    function = torch.compile(summed, dynamic=False) if ready else summed
    return lambda batch: function(batch.ids.to(device), batch.labels.to(device))


def take_step(
    accelerator: Accelerator,
    network: nn.Module,
    optimiser: list[torch.optim.Optimizer],
    loss_of: Callable[[Batch], torch.Tensor],
    batch: Batch,
    clip: float,
) -> float:
    """One update on the mean over the loss tokens of all processes; returns that mean."""
    count = (batch.labels != IGNORE).sum().to(accelerator.device)
    everywhere = accelerator.reduce(count, "sum").clamp(min=1)
    # Gradients are averaged over processes, so each one's share is scaled up by their number.
    loss = loss_of(batch) * accelerator.num_processes / everywhere
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(network.parameters(), clip)
    for each in optimiser:
        each.step()
        each.zero_grad()
    return float(accelerator.reduce(loss.detach(), "mean"))


class Log:
    """One JSON line a record; on resuming, lines past the resumed step are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        self._started, self._tokens = time.monotonic(), -1
        if path.exists():
            kept = [row for row in path.read_text().splitlines() if json.loads(row)["step"] <= step]
            path.write_text("".join(f"{row}\n" for row in kept))

    def write(self, course: Course, loss: float, optimiser: list[torch.optim.Optimizer]) -> None:
        now = time.monotonic()
        speed = (course.tokens - self._tokens) / (now - self._started) if self._tokens >= 0 else 0
        self._started, self._tokens = now, course.tokens
        record = {
            **asdict(course),
            "loss": loss,
            "learning_rate": optimiser[-1].param_groups[0]["lr"],
            "tokens_per_second": round(speed),
        }
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")


def _save(accelerator: Accelerator, folder: Path, step: int) -> None:
    """Write aside, then rename: there is always one whole state to resume from."""
    unfinished, finished = folder / "resume.unfinished", folder / f"resume-{step:08d}"
    if accelerator.is_main_process:
        shutil.rmtree(unfinished, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(unfinished))
    if accelerator.is_main_process:
        unfinished.rename(finished)
        for older in sorted(folder.glob("resume-*"))[:-1]:
            shutil.rmtree(older)
    accelerator.wait_for_everyone()


def _resume(accelerator: Accelerator, folder: Path) -> None:
    states = sorted(folder.glob("resume-*"))
    if states:
        accelerator.load_state(str(states[-1]))


def _publish(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    unfinished, finished = folder / "model.unfinished", folder / "model"
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    unfinished.rename(finished)
    for state in folder.glob("resume-*"):
        shutil.rmtree(state)


class _progress:  # noqa: N801 - used as a function
    def __init__(self, name: str, steps: int, done: int, shown: bool) -> None:
        self._bar = Progress(
            *Progress.get_default_columns(),
            TextColumn("{task.completed}/{task.total}"),
            disable=not shown,
        )
        self._task = self._bar.add_task(name, total=steps, completed=done)

    def __enter__(self) -> Callable[[], None]:
        self._bar.start()
        return lambda: self._bar.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
