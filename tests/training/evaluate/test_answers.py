"""A sweep asks each question once in each setting, and goes on where it was cut off."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients.client import AsyncBide, BideError
from training.evaluate.answers import Rows, ask_all
from training.evaluate.settings import sweep
from training.evaluate.summary import Line, figures_of_s1, summarise
from training.evaluate.tasks import Question

QUESTIONS = [Question(i, f"What is {i}+1?", str(i + 1), "sums") for i in range(6)]
SETTINGS = sweep(budgets=(0, 16), waits=(1,), samples=4)
JOBS = 6 * (2 + 1 + 1 + 4)


class Server:
    """Right where it may think, and at T = 1 for three seeds of four; dies at request `last`."""

    def __init__(self, last: int = 10_000) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._last = last

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        if len(self.bodies) > self._last:
            return httpx.Response(503, json={"error": {"message": "gone", "param": None}})
        number = int(body["messages"][0]["content"].split()[2].split("+")[0])
        budget = body.get("thinking", {}).get("budget_tokens", 40)
        right = budget > 0 and body.get("seed", 0) != 3
        text = f"The answer is {number + 1 if right else 0}."
        thinking = {
            "tokens": min(budget, 40),
            "waits": 0,
            "end": "natural",
            "budget_tokens": None,
            "injected": [],
        }
        message = {"role": "assistant", "content": text, "reasoning": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "thinking": thinking}
        usage = {"prompt_tokens": 5, "completion_tokens": 9}
        return httpx.Response(200, json={"choices": [choice], "usage": usage})


async def ask(server: Server, path: Path) -> Rows:
    rows = Rows(path)
    async with AsyncBide("bide", transport=httpx.MockTransport(server)) as client:
        jobs = rows.missing(SETTINGS, QUESTIONS)
        await ask_all(client, rows, jobs, 3, lambda: None)
    return rows


async def test_every_job_once(tmp_path: Path) -> None:
    server = Server()
    rows = await ask(server, tmp_path / "rows.jsonl")
    assert len(server.bodies) == len(rows.rows) == JOBS
    assert sorted(b["seed"] for b in server.bodies if "seed" in b) == sorted([0, 1, 2, 3] * 6)


async def test_a_cut_off_sweep_asks_only_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with pytest.raises(ExceptionGroup) as raised:
        await ask(Server(last=20), path)
    assert raised.group_contains(BideError, match="gone")
    path.write_text(path.read_text() + '{"setting": "bud')
    again = Server()
    rows = await ask(again, path)
    assert len(again.bodies) == JOBS - 20
    keys = {(row["setting"], row["question"], row["sample"]) for row in rows.rows}
    assert len(keys) == JOBS


async def test_the_summary_counts_questions_and_votes(tmp_path: Path) -> None:
    rows = await ask(Server(), tmp_path / "rows.jsonl")
    lines: dict[str, Line] = {line.name: line for line in summarise(rows.rows, SETTINGS)}
    assert {name: line.accuracy for name, line in lines.items()} == {
        "budget 0": 0,
        "budget 16": 100,
        "own length": 100,
        "waits 1": 100,
        "one sample at T = 1": 75,
        "majority of 4": 100,
        "any of 4": 100,
    }
    assert lines["budget 16"].tokens == 16
    assert figures_of_s1(list(lines.values()))["control"] == 100
