"""Asks every question in every setting and keeps one row a sample; goes on where it stopped."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clients.client import AsyncBide, Reply
from decoding.answers import extract, same
from training.evaluate.settings import Setting
from training.evaluate.tasks import Question

Row = dict[str, Any]


class Job(NamedTuple):
    setting: Setting
    question: Question
    sample: int


class Rows:
    """A JSONL file of answers, one row for each setting, question and sample."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[Row] = []
        if path.exists():
            text = path.read_text(encoding="utf-8")
            # A run killed while writing leaves half a line, which is asked again.
            whole = text[: text.rfind("\n") + 1]
            self.rows = [json.loads(line) for line in whole.splitlines()]
            if whole != text:
                path.write_text(whole, encoding="utf-8")
        self._have = {(row["setting"], row["question"], row["sample"]) for row in self.rows}

    def missing(self, settings: Sequence[Setting], questions: Sequence[Question]) -> list[Job]:
        return [
            Job(setting, question, sample)
            for setting in settings
            for question in questions
            for sample in range(setting.samples)
            if (setting.name, question.number, sample) not in self._have
        ]

    def add(self, row: Row) -> None:
        self.rows.append(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


async def ask_all(
    client: AsyncBide,
    rows: Rows,
    jobs: Sequence[Job],
    concurrency: int,
    tick: Callable[[], None],
) -> None:
    """Fill `rows`; a failed request fails the run, which can be started again to go on."""
    left = iter(jobs)

    async def worker() -> None:
        for job in left:
            rows.add(await _ask(client, job))
            tick()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())


async def _ask(client: AsyncBide, job: Job) -> Row:
    messages = [{"role": "user", "content": job.question.text}]
    options = job.setting.options
    if job.setting.samples > 1:
        options = {**options, "seed": job.sample}
    return _row(job, await client.chat(messages, **options))


def _row(job: Job, reply: Reply) -> Row:
    answer, thinking = extract(reply.content), reply.thinking
    return {
        "setting": job.setting.name,
        "question": job.question.number,
        "sample": job.sample,
        "kind": job.question.kind,
        "answer": answer,
        "correct": answer is not None and same(answer, job.question.answer),
        "thinking_tokens": thinking.tokens if thinking else 0,
        "waits": thinking.waits if thinking else 0,
        "end": thinking.end if thinking else None,
        "completion_tokens": reply.usage.completion_tokens,
    }
