"""A stage's course as one picture: what was rewarded, held-out accuracy, length, entropy."""

import json
from pathlib import Path
from typing import Any

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("reward", ("reward", "verified")),
    ("held-out accuracy", ("held_out",)),
    ("tokens of a completion", ("completion_tokens", "held_out_tokens")),
    ("entropy, and KL to the base", ("entropy", "kl")),
)


def draw(log: Path, picture: Path) -> None:
    """From log.jsonl; a panel whose figures the log does not have stays empty."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.use("svg")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2).flatten()
    for axis, (title, names) in zip(axes, PANELS, strict=True):
        axis.set_title(title)
        axis.set_xlabel("step")
        for name in names:
            steps, values = series(rows, name)
            if steps:
                axis.plot(steps, values, label=name.replace("_", " "))
                axis.legend()
    figure.savefig(picture)


def series(rows: list[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Steps and values, where the log has them."""
    found = [(row["step"], row[name]) for row in rows if name in row]
    return [step for step, _ in found], [value for _, value in found]
