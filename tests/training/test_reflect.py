"""Rows are labelled by a model over HTTP, and a run that was cut goes on."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from training.data.sources import RowError
from training.reflect import HttpCritic, label

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


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_are_labelled_in_their_order(tmp_path: Path) -> None:
    rows, out, asked = written(tmp_path), tmp_path / "out.jsonl", list[str]()
    assert asyncio.run(label(rows, out, critic(asked, YES), 1)) == (3, [])
    assert [each["question"] for each in lines(out)] == [each["question"] for each in ROWS]
    assert lines(out)[1]["answer"] == (
        "[Retrieval]<paragraph>Town 1\nIt has 1 bridges.</paragraph>"
        "[Relevant]It has 1 bridges. [Fully supported][Utility:5]"
    )
    assert len(asked) == 12


def test_what_is_there_is_not_asked_again(tmp_path: Path) -> None:
    rows, out, asked = written(tmp_path), tmp_path / "out.jsonl", list[str]()
    asyncio.run(label(rows, out, critic([], YES), 1))
    whole = out.read_text()
    first, second, _ = whole.splitlines(keepends=True)
    out.write_text(first + second[:20])
    assert asyncio.run(label(rows, out, critic(asked, YES), 1)) == (2, [])
    assert out.read_text() == whole
    assert not any("town 0" in each for each in asked)


@pytest.mark.parametrize("word", ["Perhaps", "I cannot say: yes or no", "Nothing"])
def test_a_row_that_the_judge_leaves_open_is_told_and_the_others_are_done(
    word: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    odd = {"What of town 1?\n\nIs something": word} | YES
    count, failed = asyncio.run(label(written(tmp_path), out, critic([], odd), 2))
    assert count == 2
    (fault,) = failed
    assert fault.startswith("row 2: judge: not one of Yes, No in")
    assert sorted(each["row"] for each in lines(out)) == [1, 3]
    assert asyncio.run(label(written(tmp_path), out, critic([], YES), 2)) == (1, [])
    assert sorted(each["row"] for each in lines(out)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (httpx.Response(400), "no answer"),
        (httpx.Response(200, text="?"), "no answer"),
        (httpx.Response(200, json={"choices": [{"message": {"content": None}}]}), "has no text"),
    ],
)
def test_no_answer_is_a_failure(answer: httpx.Response, fault: str, tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    judge = HttpCritic(httpx.AsyncClient(base_url="http://judge/v1/", transport=transport))
    _, failed = asyncio.run(label(written(tmp_path), tmp_path / "out.jsonl", judge, 1))
    assert len(failed) == 3
    assert all(fault in each for each in failed)


def test_a_busy_judge_is_asked_again(tmp_path: Path) -> None:
    answers = [httpx.Response(429), httpx.ConnectError("away"), httpx.Response(503)]
    waits: list[float] = []

    def said(request: httpx.Request) -> httpx.Response:
        if answers:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        text = json.loads(request.read())["messages"][0]["content"]
        word = next(word for question, word in YES.items() if question in text)
        return httpx.Response(200, json={"choices": [{"message": {"content": word}}]})

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    client = httpx.AsyncClient(base_url="http://judge/", transport=httpx.MockTransport(said))
    judge = HttpCritic(client, sleep=sleep)
    assert asyncio.run(label(written(tmp_path), tmp_path / "out.jsonl", judge, 1)) == (3, [])
    assert waits == [1.0, 4.0, 16.0]


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n")
    with pytest.raises(RowError, match="no rows"):
        asyncio.run(label(tmp_path / "rows.jsonl", tmp_path / "out", critic([], YES), 1))


def test_a_row_that_is_none_ends_it_before_anything_is_asked(tmp_path: Path) -> None:
    rows, asked = tmp_path / "rows.jsonl", list[str]()
    rows.write_text(json.dumps(ROWS[0]) + "\n{}\n")
    with pytest.raises(RowError, match=r"rows\.jsonl:2: question"):
        asyncio.run(label(rows, tmp_path / "out.jsonl", critic(asked, YES), 1))
    assert asked == []
