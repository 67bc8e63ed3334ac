"""Rows of JSONL files and of the Hugging Face hub's data sets, mixed as a recipe says."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.stages import Source


class RowError(ValueError):
    """A row that cannot be used; the message names its file and line, and what would be right."""


@dataclass(frozen=True, slots=True)
class Row:
    """place: the file and line, for errors."""

    place: str
    values: dict[str, Any]

    def text(self, column: str) -> str:
        """Raises RowError where there is none."""
        value = self.values.get(column)
        if not isinstance(value, str) or not value:
            raise RowError(f"{self.place}: {column}: should be a text")
        return value


def rows(sources: Sequence[Source], seed: int) -> list[Row]:
    """All that the mix asks for; every line is looked at before any is learnt from.

    Raises RowError for a line that is no row, and for a source that has too few.
    """
    return [row for source in sources for row in _chosen(source, seed)]


def stream(source: Source) -> Iterator[Row]:
    """Row after row, from the start again after the last. Raises RowError where there are none."""
    while True:
        empty = True
        for row in _all(source, streaming=True):
            empty = False
            yield row
        if empty:
            raise RowError(f"{source.path}: there are no rows in it")


def in_files(sources: Sequence[Source]) -> Iterator[Row]:
    """The rows of those that are files: what can be looked at before anything is fetched.

    Raises RowError for a line that is no row.
    """
    for source in sources:
        if _is_file(source):
            yield from _all(source)


def _is_file(source: Source) -> bool:
    path = Path(source.path)
    return path.suffix in (".jsonl", ".json") or path.is_file()


def _chosen(source: Source, seed: int) -> list[Row]:
    found = list(_all(source))
    if not found:
        raise RowError(f"{source.path}: there are no rows in it")
    wanted = len(found) if source.fraction is None else round(len(found) * source.fraction)
    wanted = wanted if source.count is None else source.count
    if wanted > len(found):
        raise RowError(f"{source.path}: {wanted} rows are asked for, and there are {len(found)}")
    if wanted < len(found):
        places = random.Random(f"{seed}:{source.path}").sample(range(len(found)), wanted)
        found = [found[at] for at in sorted(places)]
    return found


def _all(source: Source, *, streaming: bool = False) -> Iterator[Row]:
    for place, values in _read(source, streaming):
        ours = {name: values[theirs] for name, theirs in source.columns.items() if theirs in values}
        yield Row(place, {**values, **ours})


def _read(source: Source, streaming: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    if _is_file(source):
        yield from _lines(Path(source.path))
        return
    from datasets import load_dataset

    # Its own errors name the data set, and what its names might have been.
    found = load_dataset(source.path, source.subset, split=source.split, streaming=streaming)
    for number, values in enumerate(found):
        yield f"{source.path}[{source.split}]:{number}", values


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        # Not splitlines, which also cuts at U+2028 and its like, and those may stand within a text.
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise RowError(f"{path}: {error.strerror}") from error
    for at, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}:{at}"
        try:
            values = json.loads(line)
        except ValueError as error:
            raise RowError(f"{place}: not JSON: {error}") from error
        if not isinstance(values, dict):
            raise RowError(f"{place}: should be a JSON object")
        yield place, values
