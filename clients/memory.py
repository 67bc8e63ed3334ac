"""How much memory a server takes, all its processes together."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import psutil

from clients.slope import Slope, slope
from clients.wire import BideError

MIB = 1 << 20
HOUR = 3600.0

Verdict = Literal["flat", "it grows", "measured too short to tell"]

UNSURE = 10
"""Times the flat bound: an interval that reaches that far has all in it, and says nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """seconds and requests: since the load began; used: bytes."""

    seconds: float
    requests: int
    used: int


@dataclass(frozen=True, slots=True)
class Growth:
    """In MiB, after the warm-up; above_cache: the median of what is used, less the KV cache."""

    per_hour: Slope
    per_thousand_requests: Slope
    above_cache: float
    verdict: Verdict


def used(pid: int) -> int:
    """Bytes of a process and all below it. A page that several share counts once: PSS.

    Raises BideError for a process that is not there, or not ours to look at.
    """
    try:
        parent = psutil.Process(pid)
        return sum(_used(process) for process in (parent, *parent.children(recursive=True)))
    except psutil.Error as error:
        raise BideError(f"the memory of process {pid} cannot be measured: {error}") from error


def _used(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended just now
        return 0


async def watch(
    pid: int, every: float, now: Callable[[], tuple[float, int]], samples: list[Sample]
) -> None:
    """Adds a sample each so many seconds, until it is cancelled. now: seconds, and requests.

    Raises BideError.
    """
    while True:
        measured = await asyncio.to_thread(used, pid)
        samples.append(Sample(*now(), measured))
        await asyncio.sleep(every)


def growth(samples: Sequence[Sample], warm_up: float, cache: float, bound: float) -> Growth | None:
    """None for too few samples after the warm-up.

    warm_up: seconds; cache: bytes; bound: MiB an hour that count as flat.
    """
    warm = [sample for sample in samples if sample.seconds >= warm_up]
    sizes = [sample.used / MIB for sample in warm]
    try:
        by_time = slope([sample.seconds for sample in warm], sizes).times(HOUR)
        by_request = slope([sample.requests for sample in warm], sizes).times(1000)
    except ValueError:
        return None
    middle = sorted(sizes)[len(sizes) // 2] - cache / MIB
    return Growth(by_time, by_request, middle, verdict(by_time, bound))


def verdict(by_time: Slope, bound: float) -> Verdict:
    """Flat where no growth is certain, or it is below the bound."""
    if by_time.low > 0 and by_time.value >= bound:
        return "it grows"
    return "flat" if by_time.high < UNSURE * bound else "measured too short to tell"
