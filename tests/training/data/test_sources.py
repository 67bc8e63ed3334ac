"""Rows of a mix: all, so many, or a fraction; faults named by file and line."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from training.data.sources import RowError, rows
from training.stages import Source


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "rows.jsonl"
    made.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(10)))
    return made


def numbers(*sources: Source, seed: int = 0) -> list[int]:
    return [row.values["n"] for row in rows(sources, seed)]


def test_all_a_count_and_a_fraction(path: Path) -> None:
    everything = Source(path=str(path))
    assert numbers(everything) == list(range(10))
    three = Source(path=str(path), count=3)
    assert len(set(numbers(three))) == 3
    assert numbers(three) == numbers(three)
    assert {tuple(numbers(three, seed=seed)) for seed in range(5)} != {tuple(numbers(three))}
    assert len(numbers(Source(path=str(path), fraction=0.5), everything)) == 15
    assert len(numbers(Source(path=str(path), fraction=1.0))) == 10


def test_columns_are_renamed(path: Path) -> None:
    (first, *_) = rows([Source(path=str(path), columns={"answer": "n"})], 0)
    assert first.values == {"n": 0, "answer": 0}
    assert first.place == f"{path}:1"


def test_what_cannot_be_is_said(path: Path, tmp_path: Path) -> None:
    with pytest.raises(RowError, match="11 rows are asked for, and there are 10"):
        numbers(Source(path=str(path), count=11))
    with pytest.raises(ValidationError, match="say either count or fraction"):
        Source(path=str(path), count=1, fraction=0.5)
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"n": 1}\n\n{"n"\n')
    with pytest.raises(RowError, match=r"bad\.jsonl:3: not JSON"):
        numbers(Source(path=str(bad)))


def test_rows_known_without_reading() -> None:
    assert Source(path="a/b", rows=100).used == 100
    assert Source(path="a/b", rows=100, fraction=0.25).used == 25
    assert Source(path="a/b", rows=100, count=7).used == 7
    assert Source(path="a/b").used is None
