"""A stage's course as one picture: whatever of these its log has."""

from pathlib import Path
from typing import Any

from training.log import read

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("loss",)),
    ("learning rate", ("learning_rate",)),
    ("reward", ("reward", "verified")),
    ("held-out accuracy", ("held_out",)),
    ("tokens of a completion", ("completion_tokens", "held_out_tokens")),
    ("entropy, and KL to the base", ("entropy", "kl")),
    ("preferred", ("rewards/accuracies", "accuracy")),
)
ACROSS = 2


def draw(log: Path, picture: Path) -> None:
    """From log.jsonl; nothing where it has nothing of the panels."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.use("svg")
    rows = read(log)
    panels = [(title, shown) for title, names in PANELS if (shown := _shown(rows, names))]
    if not panels:
        return
    down = -(-len(panels) // ACROSS)
    figure = Figure(figsize=(10, 3.5 * down), layout="constrained")
    for number, (title, shown) in enumerate(panels, start=1):
        axis = figure.add_subplot(down, ACROSS, number)
        axis.set_title(title)
        axis.set_xlabel("step")
        for name, (steps, values) in shown.items():
            axis.plot(steps, values, label=name.replace("_", " "))
        axis.legend()
    figure.savefig(picture)


def _shown(
    rows: list[dict[str, Any]], names: tuple[str, ...]
) -> dict[str, tuple[list[int], list[float]]]:
    found = {name: series(rows, name) for name in names}
    return {name: line for name, line in found.items() if line[0]}


def series(rows: list[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Steps and values, where the log has them."""
    found = [(row["step"], row[name]) for row in rows if name in row]
    return [step for step, _ in found], [value for _, value in found]
