"""`bide bench swaps`: weights exchanged again and again under a crowd of streams.

Every reply must be whole, name one version, and be what that version says: what the two versions
answer is asked first, each alone, and only questions that tell them apart are asked after.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from clients import reporting
from clients.load import Spread, percentile
from clients.questions import questions
from clients.servers import EngineSettings, started, vllm
from clients.users import SHOWN, Crowd, Told, connected, crowd
from clients.wire import BideError, error_of, parse_models

ASKED = 24
"""Questions, of which those are kept that tell the versions apart."""

Said = Mapping[str, frozenset[str]]
"""By question: a greedy answer may still end in several ways, as sums round with the batch."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The versions that are exchanged, of one name in a registry's folder."""

    registry: Path
    name: str
    versions: tuple[str, str]

    def folder(self, version: str) -> Path:
        return self.registry / self.name / version


@dataclass(frozen=True, slots=True)
class Plan:
    """pause: seconds between loads; alone: seconds of crowd for each version before."""

    streams: int
    swaps: int
    pause: float
    alone: float
    mode: str = "drain"


@dataclass(slots=True)
class Report:
    """What came of it; seconds, but for counts and ratios.

    unlike: replies that their version did not say when it was alone; wait: to a reply's first text.
    """

    replies: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    swapping: list[float] = field(default_factory=list)
    loading: list[float] = field(default_factory=list)
    reading: list[float] = field(default_factory=list)
    wait: dict[str, dict[str, float]] = field(default_factory=dict)
    whole: dict[str, dict[str, float]] = field(default_factory=dict)
    restart: float | None = None

    @property
    def passed(self) -> bool:
        return not (self.failed or self.mixed or self.unlike)


async def exchanged(http: httpx.AsyncClient, pair: Pair, plan: Plan) -> Report:
    """Raises BideError where a version cannot be loaded, or both answer alike."""
    report = Report()
    model = parse_models(await http.get("/v1/models"))[0].id
    asked, alone = questions(ASKED, "swaps"), {}
    quiet: list[Told] = []
    for version in pair.versions:
        await load(http, pair.name, version, plan.mode)
        async with crowd(http, model, asked, plan.streams) as found:
            await asyncio.sleep(plan.alone)
        quiet += found.replies
        alone[f"{pair.name}/{version}"] = said(found)
        report.failed += found.failures
    telling = [each for each in asked if apart([texts.get(each) for texts in alone.values()])]
    if not telling:
        raise BideError(f"{' and '.join(alone)} answer alike: they cannot be told apart")
    async with crowd(http, model, telling, plan.streams) as found:
        for number in range(plan.swaps):
            done = await load(http, pair.name, pair.versions[number % 2], plan.mode)
            report.swapping.append(done["swapping"])
            report.loading.append(done["seconds"])
            await asyncio.sleep(plan.pause)
    judge(report, found, alone)
    told = [each for each in quiet if each.question in telling]
    report.wait = compared([each.first for each in told], [each.first for each in found.replies])
    report.whole = compared(
        [each.seconds for each in told], [each.seconds for each in found.replies]
    )
    report.reading = [
        await asyncio.to_thread(read, pair.folder(pair.versions[0])) for _ in range(5)
    ]
    return report


def said(found: Crowd) -> Said:
    texts: dict[str, set[str]] = {}
    for each in found.replies:
        texts.setdefault(each.question, set()).add(each.text)
    return {question: frozenset(each) for question, each in texts.items()}


def apart(texts: Sequence[frozenset[str] | None]) -> bool:
    """Whether each version answered, and none as another did."""
    known = [each for each in texts if each]
    return len(known) == len(texts) and not frozenset.intersection(*known)


def judge(report: Report, found: Crowd, alone: Mapping[str, Said]) -> None:
    report.failed += found.failures
    for each in found.replies:
        version = "+".join(sorted(each.versions))
        report.replies[version] = report.replies.get(version, 0) + 1
        if version not in alone:
            report.mixed.append(f"{version}: {each.question}")
        elif each.text not in alone[version][each.question]:
            others = [said[each.question] for name, said in alone.items() if name != version]
            wrong = report.mixed if any(each.text in said for said in others) else report.unlike
            wrong.append(f"{version}: {each.question} {each.text!r}")


def compared(quiet: Sequence[float], swapped: Sequence[float]) -> dict[str, dict[str, float]]:
    """Without swaps and with them."""

    def shares(values: Sequence[float]) -> dict[str, float]:
        return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}

    return {"without": shares(quiet), "with": shares(swapped)}


async def load(http: httpx.AsyncClient, name: str, version: str, mode: str) -> dict[str, Any]:
    wanted = {"name": name, "version": version, "mode": mode}
    response = await http.post("/v1/checkpoints/load", json=wanted)
    if not response.is_success:
        raise error_of(response)
    found: dict[str, Any] = response.json()
    return found


def read(folder: Path) -> float:
    """Seconds to read the weights' files, as any reader would."""
    began = time.perf_counter()
    for path in sorted(folder.glob("*.safetensors")):
        path.read_bytes()
    return time.perf_counter() - began


async def restarted(pair: Pair) -> float:
    """Seconds that vLLM's own server takes to start with the other version, once it was stopped."""
    for version in pair.versions:
        began = time.perf_counter()
        settings = EngineSettings(str(pair.folder(version)), kv_cache_gib=0.25)
        async with started("vllm", vllm, settings):
            seconds = time.perf_counter() - began
    return seconds


@asynccontextmanager
async def served(options: argparse.Namespace, pair: Pair) -> AsyncGenerator[str, None]:
    """The URL of the server that is given, or of one that is started with the first version."""
    if options.url is not None:
        yield options.url.rstrip("/")
        return

    def command(settings: EngineSettings, port: int) -> list[str]:
        return [
            *(sys.executable, "-m", "server", "--port", str(port), "--dtype", "float32"),
            *("--model", settings.model, "--registry", str(pair.registry)),
            *("--kv-cache-gib", str(settings.kv_cache_gib), "--log-level", "warning"),
        ]

    settings = EngineSettings(str(pair.folder(pair.versions[0])), kv_cache_gib=0.25)
    async with started("bide", command, settings) as running:
        yield running.url


async def run(options: argparse.Namespace) -> Report:
    pair = Pair(options.registry, options.name, (options.first, options.second))
    plan = Plan(options.streams, options.swaps, options.pause, options.alone, options.mode)
    async with (
        served(options, pair) as url,
        connected(url) as http,
    ):
        try:
            report = await exchanged(http, pair, plan)
        except httpx.HTTPError as error:
            raise BideError(f"no answer from {url}: {error!r}") from error
    if options.restart:
        report.restart = await restarted(pair)
    return report


def table(report: Report) -> Table:
    made = Table(title=f"{len(report.swapping)} swaps", title_justify="left")
    for column in ("seconds", "median", "min", "max"):
        made.add_column(column, justify="left" if column == "seconds" else "right")
    for name in ("swapping", "loading", "reading"):
        spread = Spread.of(getattr(report, name))
        figures = (spread.median, spread.low, spread.high)
        made.add_row(name, *(f"{each:.4f}" for each in figures))
    return made


def lines(report: Report) -> list[str]:
    found = [f"failed: {each}" for each in report.failed[:SHOWN]]
    found += [f"mixed: {each}" for each in report.mixed[:SHOWN]]
    found += [f"not what its version said alone: {each}" for each in report.unlike[:SHOWN]]
    counts = ", ".join(f"{count:,} of {version}" for version, count in report.replies.items())
    found.append(f"replies: {counts}; {len(report.failed)} failed, {len(report.mixed)} mixed")
    for what, each in (("first text", report.wait), ("whole reply", report.whole)):
        without, swapped = each["without"], each["with"]
        added = swapped["p99"] - without["p99"]
        found.append(
            f"{what}: p50 {without['p50']:.3f} → {swapped['p50']:.3f} s, "
            f"p99 {without['p99']:.3f} → {swapped['p99']:.3f} s: {added:+.3f}"
        )
    swapping = Spread.of(report.swapping).median
    found.append(f"a swap takes {swapping / Spread.of(report.reading).median:.1f} × the reading")
    if report.restart is not None:
        loading = Spread.of(report.loading).median
        found.append(
            f"vLLM's own server takes {report.restart:.1f} s to start with the other version: "
            f"{report.restart / swapping:.0f} × a swap, {report.restart / loading:.0f} × a load"
        )
    return found


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        report = asyncio.run(run(options))
    except BideError as error:
        print(f"bide bench swaps: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return reporting.told(report, options.json, table(report), lines(report))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bide bench swaps",
        description="Two versions of a registry exchanged again and again under streams. Every "
        "reply must be whole and its version's own. The exit status is 1 where one is not. An "
        "admin's key: BIDE_API_KEY.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("name", help="of the checkpoint in the registry")
    add("first", help="version, as v1")
    add("second", help="version")
    add("--registry", type=Path, default=Path("checkpoints"), help="folder")
    add("--url", help="of a running server of that registry; one is started otherwise")
    add("--streams", type=int, default=32, help="at once")
    add("--swaps", type=int, default=50)
    add("--mode", choices=("drain", "immediate"), default="drain")
    add("--pause", type=float, default=0.5, help="seconds from one load to the next")
    add("--alone", type=float, default=10.0, help="seconds that each version is asked before")
    add("--restart", action="store_true", help="also time a start of vLLM's own server")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    return made
