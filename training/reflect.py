"""`python -m training.reflect ROWS.jsonl OUT.jsonl`: label answers with reflection tokens.

A model is the critic, at any OpenAI-compatible server: BIDE_JUDGE_URL, _MODEL and _KEY. What comes
is learnt by a stage of kind "sft" with `reflection = true`.
"""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.progress import Progress

from decoding.critic import NEEDS, RELEVANCE, SUPPORT, UTILITY
from decoding.passages import Passage
from decoding.together import together
from training.data.reflections import RANK, Answered, Support, answered, reflected
from training.data.sources import RowError, in_files
from training.stages import Source
from training.verifiers.judge import JudgeFailed

SECONDS = 120.0
"""That one judgement may take."""

TOO_MANY = 429


class HttpCritic:
    """Labels by questions of one word, greedily."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        model: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._named = client, {"model": model} if model else {}
        self._sleep = sleep

    async def needs_passage(self, question: str) -> bool:
        text = NEEDS.format(question=question, so_far="", next="answering")
        return await self._answer(text, ("Yes", "No")) == "Yes"

    async def is_relevant(self, question: str, passage: Passage) -> bool:
        text = RELEVANCE.format(question=question, passage=passage.whole)
        return await self._answer(text, ("Yes", "No")) == "Yes"

    async def support(self, passage: Passage, statement: str) -> Support:
        text = SUPPORT.format(passage=passage.whole, statement=statement)
        said = await self._answer(text, tuple(RANK))
        return next(each for each in RANK if each == said)

    async def utility(self, question: str, answer: str) -> int:
        text = UTILITY.format(question=question, answer=answer)
        return int(await self._answer(text, ("1", "2", "3", "4", "5")))

    async def _answer(self, text: str, words: tuple[str, ...]) -> str:
        """The one of these that the model says. Raises JudgeFailed for none, and for several."""
        messages = [{"role": "user", "content": text}]
        said = await self._said({"messages": messages, "temperature": 0, **self._named})
        by_lower = {word.lower(): word for word in words}
        found = [each.lower() for each in re.findall(r"\w+", said) if each.lower() in by_lower]
        is_first = re.match(r"\W*(\w+)", said)
        if is_first and is_first[1].lower() in by_lower:
            return by_lower[is_first[1].lower()]
        if len(set(found)) == 1:
            return by_lower[found[0]]
        raise JudgeFailed(f"judge: not one of {', '.join(words)} in {said[-80:]!r}")

    async def _said(self, body: Mapping[str, Any]) -> str:
        """Raises JudgeFailed where there is no answer, though it was asked for several times."""
        for wait in (1.0, 4.0, 16.0, None):
            try:
                reply = await self._client.post("chat/completions", json=body)
                reply.raise_for_status()
                said = reply.json()["choices"][0]["message"]["content"]
            except httpx.HTTPError as error:
                if wait is None or not _passes(error):
                    raise self._no_answer(error) from error
                await self._sleep(wait)
                continue
            except (ValueError, LookupError, TypeError) as error:
                raise self._no_answer(error) from error
            if not isinstance(said, str):
                raise JudgeFailed("judge: its answer has no text")
            return said
        raise AssertionError("the last try returns or raises")

    def _no_answer(self, error: Exception) -> JudgeFailed:
        return JudgeFailed(f"judge: no answer from {self._client.base_url}: {error!r}")


def _passes(error: httpx.HTTPError) -> bool:
    """Whether it may be gone the next time."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == TOO_MANY or error.response.is_server_error
    return True


async def label(rows: Path, out: Path, critic: HttpCritic, at_once: int) -> tuple[int, list[str]]:
    """Rows go to `out` as they are done, each with its number; those that are there are not done
    again.

    Returns how many were labelled, and why others could not be. Raises RowError for rows that are
    none, before anything is asked.
    """
    found = [answered(row) for row in in_files([Source(path=str(rows))])]
    if not found:
        raise RowError(f"{rows}: there are no rows in it, or it is no JSONL file")
    there = _there(out)
    failed: list[str] = []
    room = asyncio.Semaphore(at_once)
    with out.open("a", encoding="utf-8") as lines, Progress(transient=True) as progress:
        task = progress.add_task("labelled", total=len(found), completed=len(there))

        async def one(number: int, row: Answered) -> int:
            async with room:
                try:
                    answer = await reflected(row, critic)
                except JudgeFailed as error:
                    failed.append(f"row {number}: {error}")
                    return 0
            line = {"row": number, "question": row.question, "answer": answer}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            lines.flush()
            progress.advance(task)
            return 1

        left = [(number, row) for number, row in enumerate(found, 1) if number not in there]
        done = await together([one(number, row) for number, row in left])
    return sum(done), failed


def _there(out: Path) -> set[int]:
    """Rows that were labelled; half a line, of a run that was killed, is taken away."""
    if not out.exists():
        return set()
    text = out.read_bytes()
    whole = text.rfind(b"\n") + 1
    with out.open("r+b") as file:
        file.truncate(whole)
    return {int(json.loads(line)["row"]) for line in text[:whole].splitlines()}


async def labelled(options: argparse.Namespace) -> tuple[int, list[str]]:
    key = os.environ.get("BIDE_JUDGE_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = options.url.rstrip("/") + "/"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=SECONDS) as client:
        critic = HttpCritic(client, os.environ.get("BIDE_JUDGE_MODEL", ""))
        return await label(options.rows, options.out, critic, options.at_once)


def main() -> int:
    options = parser().parse_args()
    if not options.url:
        parser().error("--url or BIDE_JUDGE_URL should say the judge's server")
    try:
        count, failed = asyncio.run(labelled(options))
    except RowError as error:
        print(f"reflect: {error}", file=sys.stderr)
        return 1
    print(f"{count} rows labelled")
    for each in failed:
        print(f"reflect: {each}", file=sys.stderr)
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m training.reflect",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("rows", type=Path, help="JSONL of question, answer and passages")
    made.add_argument("out", type=Path, help="JSONL of question and answer, with tokens")
    made.add_argument("--url", default=os.environ.get("BIDE_JUDGE_URL"), help="with its /v1")
    made.add_argument("--at-once", type=int, default=16, help="rows")
    return made


if __name__ == "__main__":
    sys.exit(main())
