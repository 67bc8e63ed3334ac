"""`bide bench`: what the server adds to its engine, and what forcing costs.

It starts Bide and vLLM's own server side by side, or loads servers that run already.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from clients import swaps, users
from clients.client import AsyncBide, BideError
from clients.load import (
    LatencyRound,
    Load,
    Spread,
    ThroughputRound,
    Tick,
    latency_round,
    throughput_round,
)
from clients.overhead import LEVELS, Rival, asking, compare
from clients.overhead import summary as overhead_summary
from clients.servers import EngineSettings, side_by_side

PARTS = ("overhead", "throughput", "latency")
RELEASED = "training/released/bide-mini"
Round = TypeVar("Round")
Measure = Callable[[AsyncBide, Load, str, Tick], Coroutine[Any, Any, Round]]


@asynccontextmanager
async def rivals(
    options: argparse.Namespace, parts: Sequence[str]
) -> AsyncGenerator[tuple[Rival, Rival | None], None]:
    """Ours and theirs: as given, or started for this; theirs only where it is compared."""
    if options.url is not None:
        theirs = None if options.against is None else Rival("theirs", options.against)
        yield Rival("bide", options.url), theirs
        return
    settings = EngineSettings(options.model, max_num_seqs=options.slots)
    async with side_by_side(settings, alone="overhead" not in parts) as both:
        yield both


async def run(
    ours: Rival, theirs: Rival | None, parts: Sequence[str], load: Load, progress: Progress
) -> dict[str, Any]:
    """The report, as it goes into a JSON file; each part has its rounds and their summary."""
    async with AsyncBide(ours.url, os.environ.get("BIDE_API_KEY")) as client:
        models = [model.id for model in await client.models()]
        report: dict[str, Any] = {"url": ours.url, "models": models, "load": asdict(load)}
        if "overhead" in parts and theirs is not None:
            for level in LEVELS:
                found = await overhead(ours, theirs, models[0], level, load, progress)
                report[title(level)] = found
        if "throughput" in parts:
            size = 2 * load.requests
            turns = await rounds(throughput_round, "throughput", size, client, load, progress)
            report["throughput"] = _part(turns, throughput_summary(turns))
        if "latency" in parts:
            size = load.at_once
            mixed = await rounds(latency_round, "latency", size, client, load, progress)
            report["latency"] = _part(mixed, latency_summary(mixed))
        return report


async def overhead(
    ours: Rival, theirs: Rival, model: str, level: int, load: Load, progress: Progress
) -> dict[str, Any]:
    bar = progress.add_task(title(level), total=1 + load.rounds)
    bodies = asking(model, level, load.cap, load.eos_ids, load.seed)

    def counted(number: int) -> Sequence[dict[str, Any]]:
        progress.update(bar, completed=number)
        return bodies(number)

    turns = await compare(ours, theirs, level, load.rounds, counted)
    progress.update(bar, completed=1 + load.rounds)
    return {
        "rounds": [asdict(turn) for turn in turns],
        "summary": {name: asdict(spread) for name, spread in overhead_summary(turns).items()},
    }


def title(level: int) -> str:
    return f"overhead at {level}"


async def rounds(
    measure: Measure[Round],
    title: str,
    size: int,
    client: AsyncBide,
    load: Load,
    progress: Progress,
) -> list[Round]:
    """One round to warm up, which is dropped, and then those that count."""
    bar = progress.add_task(title, total=size * (1 + load.rounds))

    def tick() -> None:
        progress.advance(bar)

    return [await measure(client, load, str(i), tick) for i in range(1 + load.rounds)][1:]


def throughput_summary(turns: Sequence[ThroughputRound]) -> dict[str, Spread]:
    return {
        "forced_tokens_per_s": Spread.of([turn.forced.per_second for turn in turns]),
        "plain_tokens_per_s": Spread.of([turn.plain.per_second for turn in turns]),
        "forced_to_plain": Spread.of([turn.ratio for turn in turns]),
        "waits_per_forced_request": Spread.of([turn.waits for turn in turns]),
    }


def latency_summary(mixed: Sequence[LatencyRound]) -> dict[str, Spread]:
    """In milliseconds per token; `unforced_cut` in requests."""
    return {
        "forced_p50_ms": Spread.of([1e3 * each.forced.p50 for each in mixed]),
        "unforced_p50_ms": Spread.of([1e3 * each.unforced.p50 for each in mixed]),
        "forced_p99_ms": Spread.of([1e3 * each.forced.p99 for each in mixed]),
        "unforced_p99_ms": Spread.of([1e3 * each.unforced.p99 for each in mixed]),
        "forced_to_unforced_p99": Spread.of([each.ratio for each in mixed]),
        "unforced_cut": Spread.of([each.cut for each in mixed]),
    }


def table(title: str, summary: dict[str, dict[str, float]]) -> Table:
    made = Table(title=title, title_justify="left")
    made.add_column("")
    for column in ("median", "min", "max"):
        made.add_column(column, justify="right")
    for name, spread in summary.items():
        figures = (f"{spread[key]:,.3f}" for key in ("median", "low", "high"))
        made.add_row(name.replace("_", " "), *figures)
    return made


def main() -> int:
    if other := OTHERS.get(sys.argv[1] if sys.argv[1:] else ""):
        return other(sys.argv[2:])
    options = parser().parse_args()
    if options.json is not None and not options.json.parent.is_dir():
        print(f"bide bench: --json: there is no folder {options.json.parent}", file=sys.stderr)
        return 2
    load = Load(
        requests=options.requests,
        slots=options.slots,
        rounds=options.rounds,
        waits=options.waits,
        cap=options.budget,
        answer_tokens=options.answer_tokens,
        temperature=options.temperature,
        eos_ids=tuple(options.eos_id),
        seed=options.seed,
    )
    parts: Sequence[str] = PARTS if options.part == "all" else (options.part,)
    if "overhead" in parts and options.url is not None and options.against is None:
        if options.part == "overhead":
            print("bide bench: overhead: --url needs --against, to compare with", file=sys.stderr)
            return 2
        parts = parts[1:]
    # Drawn seldom, on stderr: it shares the machine with what it watches.
    progress = Progress(
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        refresh_per_second=1,
    )
    try:
        with progress:
            report = asyncio.run(measured(options, parts, load, progress))
    except BideError as error:
        print(f"bide bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    for part, meaning in titles(load).items():
        if part in report:
            Console().print(table(meaning, report[part]["summary"]))
    return 0


def soak(arguments: Sequence[str]) -> int:
    """It has options of its own, and looks at processes."""
    if find_spec("psutil") is None:
        print("bide bench soak: psutil is not installed: pip install psutil", file=sys.stderr)
        return 1
    from clients.soak import main

    return main(arguments)


OTHERS: Mapping[str, Callable[[Sequence[str]], int]] = MappingProxyType(
    {"soak": soak, "swaps": swaps.main, "users": users.main}
)
"""With options of their own."""


async def measured(
    options: argparse.Namespace, parts: Sequence[str], load: Load, progress: Progress
) -> dict[str, Any]:
    async with rivals(options, parts) as (ours, theirs):
        return await run(ours, theirs, parts, load, progress)


def titles(load: Load) -> dict[str, str]:
    forced = f"{load.waits} waits, at most {load.cap} tokens of thought"
    streams = f"of plain chat, {load.cap} tokens each, beside the other server's"
    return {
        **{title(level): f"{level} streams at once {streams}" for level in LEVELS},
        "throughput": f"{load.requests} requests at once: {forced}; against plain ones as long",
        "latency": f"{load.at_once} requests at once, every second one forced: {forced}",
    }


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bide bench",
        description="What the server adds to its engine, beside vLLM's own server; and what "
        "forcing costs. Starts both servers, or loads running ones. Their key: BIDE_API_KEY. "
        "`bide bench soak --help`: a load of all kinds, for minutes; `bide bench swaps --help`: "
        "weights exchanged under streams, `bide bench users --help`: while others exchange them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("part", nargs="?", choices=(*PARTS, "all"), default="all", help="what to measure")
    add("--url", help="of a running server; none is started then")
    add("--against", metavar="URL", help="of the one to compare its overhead with")
    add("--model", default=RELEASED, help="a folder; of the servers that are started")
    add("--requests", type=positive, default=64, help="at once, for throughput")
    add("--slots", type=positive, default=64, help="the server's max-num-seqs; latency loads 4x")
    add("--rounds", type=positive, default=5, help="after one to warm up")
    add("--waits", type=positive, default=2, help="of forced requests")
    add("--budget", type=positive, default=256, help="thinking tokens of forced requests at most")
    add("--answer-tokens", type=positive, default=64, help="completion tokens beyond the budget")
    add("--temperature", type=float, default=0.0, help="of all requests")
    add("--eos-id", type=int, nargs="+", default=[0], help="tokens that end the model's turn")
    add("--seed", type=int, default=0, help="of the questions")
    add("--json", type=Path, metavar="FILE", help="write every round's figures there")
    return made


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _part(measured: Sequence[Any], summary: dict[str, Spread]) -> dict[str, Any]:
    return {
        "rounds": [{**asdict(each), "ratio": each.ratio} for each in measured],
        "summary": {name: asdict(spread) for name, spread in summary.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
