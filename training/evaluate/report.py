"""A sweep as a table on the terminal, JSON, Markdown and a figure."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from training.evaluate.summary import Line

COLUMNS = ("setting", "accuracy", "95% interval", "n", "thinking tokens")


def print_table(lines: list[Line], title: str) -> None:
    table = Table(*COLUMNS, title=title)
    for line in lines:
        table.add_row(*_cells(line))
    Console().print(table)


def print_rest(s1: dict[str, float], differences: list[dict[str, Any]]) -> None:
    print(
        f"Control {s1['control']:.0f}%, Scaling {s1['scaling']:.1f} points a doubling, "
        f"Performance {s1['performance']:.1f}%"
    )
    for each in differences:
        print(
            f"{each['from']} → {each['to']}: {each['points']:+.1f} "
            f"[{each['low']:+.1f}, {each['high']:+.1f}]"
        )


def write_json(path: Path, lines: list[Line], more: dict[str, Any]) -> None:
    """Without the scores of single questions, which the rows have."""
    table = []
    for line in lines:
        record = asdict(line)
        del record["scores"]
        record["most"] = None if math.isinf(line.most) else line.most
        table.append(record)
    path.write_text(json.dumps({**more, "settings": table}, indent=2) + "\n", encoding="utf-8")


def write_markdown(path: Path, lines: list[Line]) -> None:
    rows = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---|---|---|"]
    rows += ["| " + " | ".join(_cells(line)) + " |" for line in lines]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_figure(folder: Path, lines: list[Line], title: str) -> None:
    """Accuracy against mean thinking tokens: figure.svg and figure.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "bide"
    figure, axes = pyplot.subplots(figsize=(6.4, 4))
    series = {
        "budget": [line for line in lines if line.method in ("budget", "own") and line.tokens > 0],
        "Wait": [line for line in lines if line.method in ("own", "waits")],
    }
    for (label, points), marker in zip(series.items(), ("o-", "s--"), strict=True):
        if len(points) < 2:
            continue
        spread = [
            [line.accuracy - line.low for line in points],
            [line.high - line.accuracy for line in points],
        ]
        axes.errorbar(
            [line.tokens for line in points],
            [line.accuracy for line in points],
            yerr=spread,
            fmt=marker,
            capsize=2,
            label=label,
        )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="mean thinking tokens", ylabel="accuracy, %", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(folder / "figure.svg", metadata={"Date": None})
    figure.savefig(folder / "figure.png", dpi=150)
    pyplot.close(figure)


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.name,
        f"{line.accuracy:.1f}",
        f"[{line.low:.1f}, {line.high:.1f}]",
        str(line.questions),
        f"{line.tokens:.1f}",
    )
