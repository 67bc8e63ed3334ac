"""`bide bench soak`: everything at once for minutes, and what is left of it after."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.table import Table

from clients import memory, reporting
from clients.accounts import Tally, busy, unaccounted, uncounted
from clients.asking import Asking
from clients.attempt import Outcome, attempt
from clients.exposition import Exposition
from clients.mixture import counted, mixture
from clients.overhead import Rival
from clients.servers import EngineSettings, bide, started
from clients.slope import Slope
from clients.wire import BideError, authorization, parse_models

RELEASED = "training/released/bide-mini"
SHOWN = 10
"""Failures that are printed."""

SETTLING = 5.0
"""Seconds in which a server must be idle after the last response."""

SAMPLING = 5.0
"""Seconds from one measurement of memory to the next."""

FLAT = 30.0
"""MiB an hour that count as flat: below what ten minutes can tell from noise."""

COUNTED = 45
"""Requests whose tokens are compared one for one, before the load begins."""

STALLED = httpx.Timeout(120, connect=10)
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


@dataclass(frozen=True, slots=True)
class Load:
    """seconds, and of these the first `warm_up` are not measured; kv_cache: bytes."""

    seconds: float
    warm_up: float
    at_once: int
    seed: int
    kv_cache: float


@dataclass(slots=True)
class Soak:
    """What came of it. wrong: all that should not be, but for the failures themselves."""

    load: Load
    requests: int = 0
    seconds: float = 0.0
    settled: float | None = None
    failures: list[str] = field(default_factory=list)
    failed: int = 0
    wrong: list[str] = field(default_factory=list)
    growth: memory.Growth | None = None
    samples: list[memory.Sample] = field(default_factory=list)
    fates: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        flat = self.growth is None or self.growth.verdict == "flat"
        return flat and not self.failed and not self.wrong


async def soak(server: Rival, load: Load, key: str | None = None) -> Soak:
    """Raises BideError where the server does not answer at all."""
    async with httpx.AsyncClient(
        base_url=server.url, headers=authorization(key), timeout=STALLED, limits=LIMITS
    ) as http:
        try:
            model = parse_models(await http.get("/v1/models"))[0].id
            return await _soaked(http, server.pid, model, load)
        except httpx.HTTPError as error:
            raise BideError(f"no answer from {server.url}: {error!r}") from error


async def _soaked(http: httpx.AsyncClient, pid: int | None, model: str, load: Load) -> Soak:
    found = Soak(load)
    found.wrong += await count_tokens(http, counted(model, load.seed, COUNTED))
    before, tally = await scrape(http), Tally()
    begun = time.perf_counter()

    def now() -> tuple[float, int]:
        return time.perf_counter() - begun, found.requests

    async with watched(pid, found.samples, now):
        askings = _until(begun + load.seconds, mixture(model, load.seed))
        async with asyncio.TaskGroup() as workers:
            for _ in range(load.at_once):
                workers.create_task(_work(http, askings, tally, found))
    found.seconds = now()[0]
    # vLLM tells its gauges after a step alone: without one more they may be of a request that left.
    _note(await attempt(http, counted(model, load.seed + 1, 1)[0], "soak-last"), tally, found)
    found.settled, left = await settled(http)
    found.wrong += left
    found.wrong += unaccounted(tally, before, await scrape(http))
    found.growth = memory.growth(found.samples, load.warm_up, load.kv_cache, FLAT)
    for (kind, fate), count in sorted(tally.fates.items()):
        found.fates.setdefault(kind, {})[fate] = count
    return found


async def _work(
    http: httpx.AsyncClient, askings: Iterator[Asking], tally: Tally, found: Soak
) -> None:
    for asked in askings:
        found.requests += 1
        _note(await attempt(http, asked, f"soak-{found.requests}"), tally, found)


def _until(end: float, askings: Iterator[Asking]) -> Iterator[Asking]:
    while time.perf_counter() < end:
        yield next(askings)


def _note(outcome: Outcome, tally: Tally, found: Soak) -> None:
    tally.add(outcome)
    if outcome.fate == "failed":
        found.failed += 1
        if len(found.failures) < SHOWN:
            found.failures.append(f"{outcome.request_id} ({outcome.asking.kind}): {outcome.why}")


async def count_tokens(http: httpx.AsyncClient, askings: Sequence[Asking]) -> list[str]:
    """What is wrong with the tokens that these requests are said to have taken."""
    before = await scrape(http)
    names = (f"counted-{i}" for i in range(len(askings)))
    outcomes = await asyncio.gather(
        *(attempt(http, asked, name) for asked, name in zip(askings, names, strict=True))
    )
    failed = [f"{each.request_id}: {each.why}" for each in outcomes if each.fate != "answered"]
    return failed or uncounted(outcomes, before, await scrape(http))


async def scrape(http: httpx.AsyncClient) -> Exposition:
    response = await http.get("/metrics")
    if not response.is_success:
        raise BideError(f"/metrics says {response.status_code}: it needs an admin's key")
    return Exposition.parsed(response.text)


async def settled(http: httpx.AsyncClient) -> tuple[float | None, list[str]]:
    """Seconds until nothing runs any more; None, and what still does, where that takes too long."""
    begun = time.perf_counter()
    while left := busy(await scrape(http)):
        if time.perf_counter() - begun > SETTLING:
            return None, left
        await asyncio.sleep(0.1)
    return time.perf_counter() - begun, []


@asynccontextmanager
async def watched(
    pid: int | None, samples: list[memory.Sample], now: Callable[[], tuple[float, int]]
) -> AsyncGenerator[None, None]:
    """Raises BideError where there is nothing to measure from the start."""
    if pid is None:
        yield
        return
    memory.used(pid)
    watching = asyncio.create_task(memory.watch(pid, SAMPLING, now, samples))
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError, BideError):  # of a server that died, requests tell
            await watching


def table(found: Soak) -> Table:
    made = Table(
        title=f"{found.requests:,} requests in {found.seconds:,.0f} s", title_justify="left"
    )
    fates = ("answered", "refused", "left", "failed")
    made.add_column("")
    for fate in fates:
        made.add_column(fate, justify="right")
    for kind, counts in found.fates.items():
        made.add_row(kind, *(f"{counts[fate]:,}" if fate in counts else "" for fate in fates))
    sums = (sum(counts.get(fate, 0) for counts in found.fates.values()) for fate in fates)
    made.add_section()
    made.add_row("all", *(f"{count:,}" for count in sums))
    return made


def verdicts(found: Soak) -> list[str]:
    lines = [f"failed: {each}" for each in found.failures] + [
        f"wrong: {each}" for each in found.wrong
    ]
    left = sum(counts.get("left", 0) for counts in found.fates.values())
    lines.append(f"{left / max(1, found.requests):.1%} were left midway")
    if found.settled is not None:
        lines.append(f"idle {found.settled:.1f} s after the last response")
    if found.growth is None:
        lines.append("memory: not measured")
        return lines
    return [*lines, *of_memory(found.growth)]


def of_memory(growth: memory.Growth) -> list[str]:
    def interval(slope: Slope) -> str:
        return f"{slope.value:+.2f} (95%: {slope.low:+.2f} to {slope.high:+.2f})"

    return [
        f"memory: {growth.above_cache:,.0f} MiB above the KV cache, after the warm-up",
        f"memory: {interval(growth.per_thousand_requests)} MiB a thousand requests",
        f"memory: {interval(growth.per_hour)} MiB an hour, and below {FLAT:g} counts as flat: "
        + growth.verdict,
    ]


@asynccontextmanager
async def server(options: argparse.Namespace) -> AsyncGenerator[Rival, None]:
    if options.url is not None:
        yield Rival("bide", options.url.rstrip("/"), options.pid)
        return
    settings = EngineSettings(options.model, kv_cache_gib=options.kv_cache_gib)
    async with started("bide", bide, settings) as running:
        yield running


async def run(options: argparse.Namespace, load: Load) -> Soak:
    async with server(options) as running:
        return await soak(running, load, os.environ.get("BIDE_API_KEY"))


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    load = Load(
        seconds=60 * options.minutes,
        warm_up=60 * options.warm_up,
        at_once=options.at_once,
        seed=options.seed,
        kv_cache=options.kv_cache_gib * 2**30,
    )
    try:
        found = asyncio.run(run(options, load))
    except BideError as error:
        print(f"bide bench soak: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return reporting.told(found, options.json, table(found), verdicts(found))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bide bench soak",
        description="Requests of all kinds for minutes; one in ten is left midway, one in twenty "
        "malformed. Every response must be the right one and be in the metrics, the engine be idle "
        "after, and memory flat. The exit status is 1 where that is not so. An admin's key: "
        "BIDE_API_KEY.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("--url", help="of a running server, without /v1; none is started then")
    add("--pid", type=int, help="of a running server's process, to measure its memory")
    add("--model", default=RELEASED, help="a folder; of the server that is started")
    add("--minutes", type=float, default=10.0, help="of load")
    add("--warm-up", type=float, default=2.0, metavar="MINUTES", help="before memory is measured")
    add("--at-once", type=int, default=32, help="requests")
    add("--seed", type=int, default=0, help="of what is asked")
    add("--kv-cache-gib", type=float, default=0.25, help="the server's, which memory is told above")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    return made
