"""Rows are labelled by a model over HTTP, and a run that was cut goes on."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from training.data.sources import RowError
from training.reflect import HttpCritic, label
from training.verifiers.judge import JudgeFailed

ROWS = [
    {
        "question": f"What of town {number}?",
        "answer": f"It has {number} bridges.",
        "passages": [{"title": f"Town {number}", "text": f"It has {number} bridges."}],
    }
    for number in range(3)
]


def critic(asked: list[str], answers: dict[str, str]) -> HttpCritic:
    def said(request: httpx.Request) -> httpx.Response:
        text = json.loads(request.read())["messages"][0]["content"]
        asked.append(text)
        word = next(word for question, word in answers.items() if question in text)
        return httpx.Response(200, json={"choices": [{"message": {"content": word}}]})

    transport = httpx.MockTransport(said)
    return HttpCritic(httpx.AsyncClient(base_url="http://judge/v1/", transport=transport), "big")


YES = {
    "looked up": "Yes.",
    "Does the passage help": "yes",
    "Does the passage say": "Fully",
    "How useful": "It is a 5",
}


def written(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in ROWS))
    return path


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_are_labelled_in_their_order(tmp_path: Path) -> None:
    rows, out, asked = written(tmp_path), tmp_path / "out.jsonl", list[str]()
    assert asyncio.run(label(rows, out, critic(asked, YES), 2)) == 3
    assert [each["question"] for each in lines(out)] == [each["question"] for each in ROWS]
    assert lines(out)[1]["answer"] == (
        "[Retrieval]<paragraph>Town 1\nIt has 1 bridges.</paragraph>"
        "[Relevant]It has 1 bridges. [Fully supported][Utility:5]"
    )
    assert len(asked) == 12


def test_what_is_there_is_not_asked_again(tmp_path: Path) -> None:
    rows, out, asked = written(tmp_path), tmp_path / "out.jsonl", list[str]()
    asyncio.run(label(rows, out, critic([], YES), 2))
    whole = out.read_text()
    first, second, _ = whole.splitlines(keepends=True)
    out.write_text(first + second[:20])
    assert asyncio.run(label(rows, out, critic(asked, YES), 2)) == 2
    assert out.read_text() == whole
    assert not any("town 0" in each for each in asked)


def test_a_judge_that_says_something_else_ends_it(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(JudgeFailed, match="none of Yes, No in 'Perhaps'"):
        asyncio.run(label(written(tmp_path), out, critic([], YES | {"looked up": "Perhaps"}), 1))
    assert out.read_text() == ""


def test_a_row_that_is_none_ends_it_before_anything_is_asked(tmp_path: Path) -> None:
    rows, asked = tmp_path / "rows.jsonl", list[str]()
    rows.write_text(json.dumps(ROWS[0]) + "\n{}\n")
    with pytest.raises(RowError, match=r"rows\.jsonl:2: question"):
        asyncio.run(label(rows, tmp_path / "out.jsonl", critic(asked, YES), 1))
    assert asked == []
