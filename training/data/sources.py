"""Rows of JSONL files and of the Hugging Face hub's data sets, mixed as a recipe says."""

import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from training.stages import FILES, Source

log = logging.getLogger(__name__)
Made = TypeVar("Made")
MOST_LEFT_OUT = 0.01
"""Of a data set's rows."""


class RowError(ValueError):
    """A row that cannot be used; the message names its file and line, and what would be right."""


@dataclass(frozen=True, slots=True)
class Row:
    """place: the file and line, for errors; is_ours: of a file that its owner can mend."""

    place: str
    values: dict[str, Any]
    is_ours: bool = True

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


def stream(source: Source, column: str, *, seed: int = 0, shuffled: int = 1) -> Iterator[str]:
    """A column's texts, from the start again after the last; of the hub's data sets in another
    order each time, by a buffer of so many rows. Raises RowError where there are none."""
    for turn in count():
        empty = True
        rows_of_turn = _all(source, streaming=Stream(seed + turn, shuffled))
        for text in usable(rows_of_turn, lambda row: row.text(column)):
            empty = False
            yield text
        if empty:
            raise RowError(f"{source.path}: there are no rows in it")


@dataclass(frozen=True, slots=True)
class Stream:
    """How a data set is streamed, and not fetched whole."""

    seed: int
    buffer: int


def in_files(sources: Sequence[Source]) -> Iterator[Row]:
    """The rows of those that are files: what can be looked at before anything is fetched.

    Raises RowError for a line that is no row.
    """
    for source in sources:
        if _is_file(source):
            yield from _all(source)


def _is_file(source: Source) -> bool:
    path = Path(source.path)
    return path.suffix in FILES or path.is_file()


def _chosen(source: Source, seed: int) -> list[Row]:
    found = list(_all(source))
    if not found:
        raise RowError(f"{source.path}: there are no rows in it")
    wanted = len(found) if source.fraction is None else round(len(found) * source.fraction)
    wanted = wanted if source.count is None else source.count
    if wanted == 0:
        raise RowError(f"{source.path}: {source.fraction:g} of {len(found)} rows is none")
    if wanted > len(found):
        raise RowError(f"{source.path}: {wanted} rows are asked for, and there are {len(found)}")
    if wanted < len(found):
        places = random.Random(f"{seed}:{source.path}").sample(range(len(found)), wanted)
        found = [found[at] for at in sorted(places)]
    return found


def _all(source: Source, *, streaming: Stream | None = None) -> Iterator[Row]:
    for place, values in _read(source, streaming):
        ours = {name: values[theirs] for name, theirs in source.columns.items() if theirs in values}
        yield Row(place, {**values, **ours}, _is_file(source))


def _read(source: Source, streaming: Stream | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if _is_file(source):
        yield from _lines(Path(source.path))
        return
    from datasets import load_dataset

    is_stream = streaming is not None
    try:
        found = load_dataset(source.path, source.subset, split=source.split, streaming=is_stream)
    except (OSError, ValueError) as error:  # its own: not there, not reached, no such part
        raise RowError(f"{source.path}: {str(error).splitlines()[0]}") from error
    if streaming is not None:
        found = found.shuffle(seed=streaming.seed, buffer_size=streaming.buffer)
    for number, values in enumerate(found):
        yield f"{source.path}[{source.split}]:{number}", values


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        # A line ends with a line feed alone: U+2028 and its like may stand within a text.
        with path.open(encoding="utf-8", newline="\n") as lines:
            for at, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path}:{at}", _object(line, f"{path}:{at}")
    except OSError as error:
        raise RowError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RowError(f"{path}: should be JSON lines in UTF-8: {error}") from error


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise RowError(f"{place}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise RowError(f"{place}: should be a JSON object")
    return values


def usable(found: Iterable[Row], made: Callable[[Row], Made]) -> Iterator[Made]:
    """What is made of each row. A row that cannot be used is an error, unless nobody here can mend
    it: of the hub's data sets it is left out, as long as such rows are few.

    Raises RowError, which names the first.
    """
    rows = left_out = 0
    first: RowError | None = None
    for row in found:
        rows += 1
        try:
            yield made(row)
        except RowError as error:
            if row.is_ours:
                raise
            first, left_out = first or error, left_out + 1
    if first is not None:
        said = f"{left_out} of {rows} rows cannot be used, the first being {first}"
        if left_out > MOST_LEFT_OUT * rows:
            raise RowError(said) from first
        log.warning("%s: left out", said)
