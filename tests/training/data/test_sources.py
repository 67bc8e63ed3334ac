"""Rows of a mix: all, so many, or a fraction; faults named by file and line."""

import json
from itertools import islice
from pathlib import Path

import pytest
from pydantic import ValidationError

from training.data.sources import RowError, rows, stream, usable
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


@pytest.fixture
def data_set(tmp_path: Path) -> Source:
    """As one of the hub: a folder that the library reads, with a row of 200 that has no text."""
    folder = tmp_path / "set"
    folder.mkdir()
    texts = [{"text": str(n) if n != 7 else None} for n in range(200)]
    lines = "".join(json.dumps(row) + "\n" for row in texts)
    (folder / "train.jsonl").write_text(lines)
    return Source(path=str(folder))


def test_few_rows_that_nobody_can_mend_are_left_out(
    data_set: Source, caplog: pytest.LogCaptureFixture
) -> None:
    found = list(usable(rows([data_set], 0), lambda row: row.text("text")))
    assert found == [str(n) for n in range(200) if n != 7]
    assert "1 of 200 rows cannot be used, the first being" in caplog.text
    few = rows([data_set], 0)[:20]
    with pytest.raises(
        RowError, match=r"1 of 20 rows cannot be used.*set\[train\]:7: text: should"
    ):
        list(usable(few, lambda row: row.text("text")))


def test_a_set_that_is_not_there_is_said(data_set: Source) -> None:
    with pytest.raises(RowError, match=r"set: .*validation"):
        rows([data_set.model_copy(update={"split": "validation"})], 0)


def test_streams_are_shuffled_and_begin_again(data_set: Source) -> None:
    texts = stream(data_set, "text", seed=1, shuffled=200)
    first, second = (list(islice(texts, 199)) for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(str(n) for n in range(200) if n != 7)
    assert first != second
    again = stream(data_set, "text", seed=1, shuffled=200)
    assert list(islice(again, 199)) == first
