"""`python -m server.engine.search_benchmark`: Self-RAG's search, all branches at once, beside the
authors' scheme: one question, one passage and one call at a time, and every answer of the beam gone
on with to the end.

Both on the same engine, in turns, over the same questions, greedily. What they answer should be the
same: how often it is, is told.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from decoding.engine import Engine
from decoding.types import Chunk, Delta, Sampling
from server import logs
from server.config import Settings
from server.engine.grounding import asking, self_rag
from server.engine.model import Model
from server.schema.self_rag import SelfRagFields
from server.serving import fleet, serving

ANSWER = 100
"""Tokens of an answer at most."""


class InTurn:
    """An engine that answers one call at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._turn = engine, asyncio.Lock()

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        async with self._turn, aclosing(self._engine.generate(token_ids, sampling)) as chunks:
            async for chunk in chunks:
                yield chunk


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    fields: SelfRagFields


async def answered(model: Model, engine: Engine, question: Question) -> str:
    messages: list[dict[str, Any]] = [{"role": "user", "content": question.text}]
    prompt = model.render(messages, thinking=False, template_arguments={})
    fields = question.fields
    ask = asking(model, (), {})
    told = fields.config(), fields.given(), question.text, ask, ask
    policy = self_rag(model, *told)
    if isinstance(engine, InTurn):
        policy = replace(policy, exhaustive=True)
    sampling = Sampling(ANSWER, temperature=0.0, chunk_tokens=64)
    async with aclosing(policy.run(engine, prompt, sampling)) as events:
        return "".join([event.text async for event in events if isinstance(event, Delta)])


async def timed(
    model: Model, engine: Engine, questions: Sequence[Question], at_once: int
) -> tuple[float, list[str]]:
    """Seconds, and the answers in order."""
    room = asyncio.Semaphore(at_once)

    async def one(question: Question) -> str:
        async with room:
            return await answered(model, engine, question)

    began = time.perf_counter()
    found = await asyncio.gather(*(one(each) for each in questions))
    return time.perf_counter() - began, found


async def compared(
    settings: Settings, questions: Sequence[Question], rounds: int, at_once: int
) -> None:
    ratios, alone = [], []
    async with fleet(settings) as engines, serving(settings, engines) as state:
        model = state.models.served
        for number in range(rounds + 1):
            theirs, theirs_said = await timed(model, InTurn(model.engine), questions, 1)
            single, _ = await timed(model, model.engine, questions, 1)
            ours, ours_said = await timed(model, model.engine, questions, at_once)
            same = sum(a == b for a, b in zip(ours_said, theirs_said, strict=True))
            print(
                f"round {number}: {len(questions) / theirs:.1f} questions/s one call at a time, "
                f"{len(questions) / single:.1f} one question at a time, "
                f"{len(questions) / ours:.1f} with {at_once} at once; "
                f"{same} of {len(questions)} answers alike",
                file=sys.stderr,
                flush=True,
            )
            if number:  # the first is to warm up
                ratios.append(theirs / ours)
                alone.append(theirs / single)
    for name, found in (("one question at a time", alone), (f"{at_once} at once", ratios)):
        print(f"{name}: {statistics.median(found):.2f} × ({min(found):.2f} to {max(found):.2f})")


def read(path: Path) -> list[Question]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Question(row["question"], SelfRagFields(documents=row["documents"])) for row in rows]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m server.engine.search_benchmark", description=__doc__
    )
    parser.add_argument("questions", type=Path, help="JSONL of question and documents")
    parser.add_argument("--model", required=True, help="a folder, of a model that was taught")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=16, help="questions")
    options = parser.parse_args()
    settings = Settings(model=options.model, dtype="float32")
    logs.configure("warning", settings.log_format)
    asyncio.run(compared(settings, read(options.questions), options.rounds, options.at_once))
    return 0


if __name__ == "__main__":
    sys.exit(main())
