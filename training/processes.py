"""The processes that train together: one alone, or those that torchrun started, sharded by FSDP2.

    torchrun --nproc-per-node 8 -m training training/recipes/mini.toml

torch.distributed itself, and not accelerate's plugin around it, which has no FSDP on CPUs: what
runs on a cluster could not be tested without one (docs/decisions/0024).
"""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

PATIENCE = timedelta(days=30)
"""One process may draw, fetch or write for as long as that takes; one that fails ends the others by
torchrun."""


def can_compile(device: torch.device) -> bool:
    """Inductor needs a C++ compiler on CPU; without one the same runs, only slower."""
    return device.type != "cpu" or shutil.which("g++") is not None


@dataclass(frozen=True, slots=True)
class Processes:
    """rank: this one's number among `count`; the first writes logs and weights."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def total(self, figures: Tensor) -> Tensor:
        """Their sum over all processes."""
        if self.count > 1:
            dist.all_reduce(figures)
        return figures

    def told(self, message: Any) -> Any:
        """What the first process says, on all of them; however long it takes to say it."""
        if self.count == 1:
            return message
        said = [message]
        dist.broadcast_object_list(said, group=_patient())
        return said[0]

    def wait(self) -> None:
        """Until all are here, however long one draws or writes."""
        if self.count > 1:
            dist.barrier(group=_patient())

    def leave(self) -> None:
        """Ends the threads that carry messages: one that still lets go of a tensor while the
        interpreter ends would abort the process (pytorch#179291)."""
        if self.count > 1:
            dist.destroy_process_group()
            _patient.cache_clear()

    def share(
        self, model: nn.Module, layers: str = "model.layers", *, compiled: bool = False
    ) -> None:
        """Each keeps its part of every layer from now on, and gathers a layer as it is needed.

        layers: where they are in the model.
        """
        if self.count == 1:
            model.to(self.device)
            return
        how: dict[str, Any] = {"mesh": init_device_mesh(self.device.type, (self.count,))}
        if self.device.type != "cpu":
            how["mp_policy"] = MixedPrecisionPolicy(torch.bfloat16, torch.float32)
        # Layer by layer from the CPU: no device ever holds all of it.
        for layer in model.get_submodule(layers).children():
            if compiled and can_compile(self.device):
                layer.compile(dynamic=False)
            fully_shard(layer, **how)
        fully_shard(model, **how)

    def gathered(self, model: nn.Module) -> dict[str, Any]:
        """All weights, on the first process's CPU; nothing on the others. All must ask."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return get_model_state_dict(model, options=options)

    def save(self, state: dict[str, Any], folder: Path) -> None:
        """Each its part; `folder` must not be there."""
        with _of_one_process():
            save(state, checkpoint_id=folder, no_dist=self.count == 1)

    def load(self, state: dict[str, Any], folder: Path) -> None:
        """Into the tensors of `state`."""
        with _of_one_process():
            load(state, checkpoint_id=folder, no_dist=self.count == 1)


@cache
def joined() -> Processes:
    """Those that torchrun's environment tells of, met once."""
    accelerated = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if accelerated else torch.device("cpu")
    if "WORLD_SIZE" not in os.environ:
        return Processes(0, 1, device)
    if not dist.is_initialized():
        if accelerated:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if accelerated else "gloo", timeout=PATIENCE)
        _patient()
    return Processes(dist.get_rank(), dist.get_world_size(), device)


@contextmanager
def _of_one_process() -> Iterator[None]:
    """Which torch warns of, though it was told."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        yield


@cache
def _patient() -> Any:
    """The same processes, for messages that may be a day in coming."""
    return dist.new_group(backend="gloo", timeout=PATIENCE)
