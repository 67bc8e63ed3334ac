"""What the machine offers, and the engine settings that follow from it; all can be overridden."""

import os
from dataclasses import dataclass

import psutil

GIB = 2**30


@dataclass(frozen=True, slots=True)
class CpuDefaults:
    """For vLLM on CPU. `memory_share` is of the whole machine, since vLLM asks for that."""

    kv_cache_bytes: int
    memory_share: float
    threads: int


def cpu_defaults(kv_cache_gib: float | None, threads: int | None) -> CpuDefaults:
    """An eighth of the free memory for the KV cache, at most 4 GiB, and every core but one.

    One core is the server's and the scheduler's: with all of them computing, their threads wait
    for each other, and two cores serve half as many tokens as one.

    vLLM's own default asks for 92% of the memory and fails where anything else runs.
    """
    memory = psutil.virtual_memory()
    asked = kv_cache_gib * GIB if kv_cache_gib else min(4 * GIB, memory.available / 8)
    cores = len(os.sched_getaffinity(0))
    share = min(0.95, max(0.05, (asked + GIB / 2) / memory.total))
    return CpuDefaults(int(asked), share, threads or max(1, cores - 1))
