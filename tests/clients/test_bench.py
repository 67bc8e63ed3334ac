"""`bide bench`: its options, its summaries and its report."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from clients.bench import (
    latency_summary,
    main,
    parser,
    rounds,
    table,
    throughput_summary,
)
from clients.client import AsyncBide
from clients.load import Latencies, LatencyRound, Load, Rate, Spread, ThroughputRound, Tick

TURNS = [
    ThroughputRound(Rate(800, 1.0), Rate(1000, 1.0), 2.0),
    ThroughputRound(Rate(900, 1.0), Rate(1000, 1.0), 2.0),
    ThroughputRound(Rate(990, 1.0), Rate(1000, 1.0), 1.5),
]
MIXED = [
    LatencyRound(Latencies(0.010, 0.012, 8), Latencies(0.010, 0.010, 8), 0),
    LatencyRound(Latencies(0.010, 0.011, 8), Latencies(0.010, 0.010, 8), 2),
]
LOAD = Load(4, 2, 3, 2, 40, 10, 0.0, (0,), 0)


def test_throughput_is_summed_up_over_its_rounds() -> None:
    summary = throughput_summary(TURNS)
    assert summary["forced_tokens_per_s"] == Spread(900.0, 800.0, 990.0)
    assert summary["forced_to_plain"] == Spread(0.9, 0.8, 0.99)
    assert summary["waits_per_forced_request"] == Spread(2.0, 1.5, 2.0)


def test_latencies_are_summed_up_in_milliseconds() -> None:
    summary = latency_summary(MIXED)
    assert summary["forced_p99_ms"].median == pytest.approx(11.5)
    assert summary["forced_to_unforced_p99"].low == pytest.approx(1.1)
    assert summary["forced_to_unforced_p99"].high == pytest.approx(1.2)
    assert summary["unforced_cut"] == Spread(1.0, 0, 2)


async def test_the_first_round_only_warms_up() -> None:
    seen: list[str] = []

    async def measure(client: AsyncBide, load: Load, name: str, tick: Tick) -> str:
        seen.append(name)
        tick()
        return name

    progress = Progress(console=Console(file=io.StringIO()))
    async with AsyncBide("http://bide") as client:
        counted = await rounds(measure, "throughput", 1, client, LOAD, progress)
    assert seen == ["0", "1", "2", "3"]
    assert counted == ["1", "2", "3"]
    assert progress.finished


def test_the_table_has_a_row_a_figure() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(table("title", {"forced_p50_ms": {"median": 1.5, "low": 1.0, "high": 1234.0}}))
    assert isinstance(console.file, io.StringIO)
    row = next(line for line in console.file.getvalue().splitlines() if "forced p50 ms" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][1:] == [
        "1.500",
        "1.000",
        "1,234.000",
    ]


def test_defaults_are_those_of_the_cost_targets() -> None:
    options = parser().parse_args([])
    assert (options.requests, options.slots, options.rounds) == (64, 64, 5)
    assert (options.waits, options.eos_id, options.part) == (2, [0], "all")


def test_a_report_that_could_not_be_written_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bide bench", "--json", str(tmp_path / "none" / "x.json")])
    assert main() == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_running_server_needs_another_to_be_compared_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bide bench", "overhead", "--url", "http://localhost:1"])
    assert main() == 2
    assert "--url needs --against" in capsys.readouterr().err
