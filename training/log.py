"""A stage's log: JSON lines, and the same for TensorBoard."""

import json
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.progress import Progress, TextColumn
from torch.utils.tensorboard import SummaryWriter


class Log:
    """`log.jsonl` in a stage's folder, and `tensorboard/` beside it. Nothing is written where it is
    not shown: by all but the first of several processes."""

    def __init__(self, folder: Path, *, shown: bool = True) -> None:
        self._folder, self._shown = folder, shown
        self._step = -1

    @property
    def path(self) -> Path:
        return self._folder / "log.jsonl"

    def resume(self, step: int) -> None:
        """Records past the step that a run goes on from are dropped."""
        self._step = step
        if not self._shown or not self.path.exists():
            return
        kept = [f"{json.dumps(row)}\n" for row in read(self.path) if row["step"] <= step]
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text("".join(kept))
        unfinished.replace(self.path)

    def write(self, *, step: int, **record: float) -> None:
        if not self._shown:
            return
        rounded = {name: _rounded(value) for name, value in record.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **rounded}) + "\n")
        for name, value in record.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()

    @cached_property
    def _board(self) -> SummaryWriter:
        return SummaryWriter(str(self._folder / "tensorboard"), purge_step=self._step + 1)


def _rounded(value: float) -> float:
    """To six significant digits: a learning rate may have none before the seventh place."""
    return value if isinstance(value, int) else float(f"{value:.6g}")


def read(path: Path) -> list[dict[str, Any]]:
    """Whole records: a process that was killed may have left half a line at the end."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


class Speed:
    """Of something counted: how much of it a second since the last look."""

    def __init__(self) -> None:
        self._at: tuple[float, int] | None = None

    def look(self, count: int) -> float:
        """0 at the first look."""
        last, now = self._at, time.monotonic()
        self._at = now, count
        return 0.0 if last is None else (count - last[1]) / (now - last[0])


def progress(name: str, steps: int, done: int, *, shown: bool = True) -> Progress:
    """A bar, to be entered; it is advanced by its only task."""
    columns = (*Progress.get_default_columns(), TextColumn("{task.completed}/{task.total}"))
    bar = Progress(*columns, disable=not shown)
    bar.add_task(name, total=steps, completed=done)
    return bar
