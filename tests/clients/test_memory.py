"""Memory of processes, and whether it grows."""

import asyncio
import os
import random
import subprocess
import sys

import pytest

from clients.memory import MIB, Growth, Sample, growth, used, watch
from clients.wire import BideError

HOLDS = (
    "import sys; held = bytearray(b'x' * (64 << 20)); print('ready', flush=True); sys.stdin.read()"
)
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {HOLDS!r}], stdin=sys.stdin)
child.wait()
"""


def samples(per_hour: float, noise: float = 0.5, count: int = 60) -> list[Sample]:
    """Every 10 s, with 50 requests between; 100 MiB more in the first minute."""
    rng = random.Random(3)
    return [
        Sample(
            t, 5 * t, int(MIB * (1000 + min(0, t - 60) + per_hour * t / 3600 + rng.gauss(0, noise)))
        )
        for t in range(0, 10 * count, 10)
    ]


def grown(per_hour: float, bound: float = 30.0) -> Growth:
    found = growth(samples(per_hour), 60, 256 * MIB, bound)
    assert found is not None
    return found


def test_a_leak_is_found_and_its_size() -> None:
    found = grown(120)
    assert found.verdict == "it grows"
    assert found.per_hour.low < 120 < found.per_hour.high
    assert found.per_thousand_requests.value == pytest.approx(120 / 18, rel=0.1)


@pytest.mark.parametrize("per_hour", [0.0, -100.0, 20.0])
def test_noise_and_little_and_less_are_flat(per_hour: float) -> None:
    assert grown(per_hour).verdict == "flat"


def test_what_is_little_is_said() -> None:
    assert grown(120, bound=200).verdict == "flat"
    assert grown(120, bound=100).verdict == "it grows"


def test_what_was_before_the_warm_up_does_not_count() -> None:
    cold = growth(samples(0), 0, 0, 30)
    assert cold is not None
    assert cold.per_hour.value > 60 > grown(0).per_hour.high


def test_an_interval_that_has_all_in_it_says_nothing() -> None:
    found = growth(samples(0, noise=20, count=6), 0, 0, 30)
    assert found is not None
    assert found.verdict == "measured too short to tell"


def test_the_cache_is_not_the_servers_own() -> None:
    assert grown(0).above_cache == pytest.approx(1000 - 256, abs=2)


def test_too_little_time_tells_nothing() -> None:
    assert growth(samples(0), 10_000, 0, 30) is None


def test_a_childs_memory_counts() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert used(process.pid) > 64 * MIB
    finally:
        process.communicate()


def test_a_process_that_is_not_there_is_named() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(BideError, match=f"memory of process {process.pid} cannot be measured"):
        used(process.pid)


async def test_it_is_watched_until_that_is_cancelled() -> None:
    found: list[Sample] = []
    watching = asyncio.create_task(watch(os.getpid(), 0.01, lambda: (1.5, 7), found))
    async with asyncio.timeout(30):
        while len(found) < 3:
            await asyncio.sleep(0.01)
    watching.cancel()
    assert (found[0].seconds, found[0].requests) == (1.5, 7)
    assert found[0].used > 0
