"""States that a killed run goes on from: whole or not there, and the last one alone is kept."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from training.processes import Processes


class LayoutError(ValueError):
    """Batches or saves that the processes cannot share."""


@contextmanager
def aside(folder: Path) -> Iterator[Path]:
    """Where to write what is to be `folder`, whole or not at all: renamed once it is there."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    yield unfinished
    unfinished.rename(folder)


class Saves:
    """In a stage's folder, `resume-…/` named by step; written by all processes together."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder, self._processes = folder, processes

    def write(self, step: int, tensors: dict[str, Any], own: dict[str, Any]) -> None:
        """tensors: of which each process has a part; own: what is each process's, and small.

        Written aside, then renamed: there is always one whole state to resume from.
        """
        processes = self._processes
        unfinished = self._folder / "resume.unfinished"
        if processes.is_first:
            shutil.rmtree(unfinished, ignore_errors=True)
        processes.wait()
        processes.save(tensors, unfinished)
        torch.save(own, unfinished / f"process-{processes.rank}.pt")
        processes.wait()
        if processes.is_first:
            unfinished.rename(self._folder / f"resume-{step:08d}")
            for older in self._found()[:-1]:
                shutil.rmtree(older)
        processes.wait()

    def read(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """The last one, into `tensors`; returns what was the process's own.

        Raises LayoutError if other processes wrote it.
        """
        found = self._found()
        wrote = len(list(found[-1].glob("process-*.pt")))
        if wrote != self._processes.count:
            raise LayoutError(
                f"{found[-1]}: saved by {wrote} processes, not {self._processes.count}"
            )
        self._processes.load(tensors, found[-1])
        own = torch.load(found[-1] / f"process-{self._processes.rank}.pt", weights_only=True)
        return dict(own)

    def drop(self) -> None:
        """All of them: the stage is done. Of one process."""
        for saved in self._found():
            shutil.rmtree(saved)

    def __bool__(self) -> bool:
        return bool(self._found())

    def _found(self) -> list[Path]:
        return sorted(self._folder.glob("resume-*"))


def tensors_of(model: torch.nn.Module, *optimisers: torch.optim.Optimizer) -> dict[str, Any]:
    """Of a model and what learns it, as `Saves` takes them; a model's part on each process."""
    from torch.distributed.checkpoint.state_dict import (
        get_model_state_dict,
        get_optimizer_state_dict,
    )

    found: dict[str, Any] = {"model": get_model_state_dict(model)}
    for number, each in enumerate(optimisers):
        is_fresh = not each.state
        found[f"optimiser{number}"] = get_optimizer_state_dict(model, each)
        if is_fresh:
            # torch makes a state by a step on nothing, which would count as the first.
            for state in each.state.values():
                if "step" in state:
                    state["step"].zero_()
    return found


def put_back(
    tensors: dict[str, Any], model: torch.nn.Module, *optimisers: torch.optim.Optimizer
) -> None:
    """What `tensors_of` found."""
    from torch.distributed.checkpoint.state_dict import (
        set_model_state_dict,
        set_optimizer_state_dict,
    )

    set_model_state_dict(model, tensors["model"])
    for number, each in enumerate(optimisers):
        set_optimizer_state_dict(model, each, tensors[f"optimiser{number}"])
