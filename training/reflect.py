"""`python -m training.reflect ROWS.jsonl OUT.jsonl`: label answers with reflection tokens.

A model is the critic, at any OpenAI-compatible server: BIDE_JUDGE_URL, _MODEL and _KEY. What comes
is learnt by a stage of kind "sft" with `reflection = true`.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
from rich.progress import Progress

from decoding.critic import NEEDS, RELEVANCE, SUPPORT, UTILITY
from decoding.passages import Passage
from training.data.reflections import RANK, Support, answered, reflected
from training.data.sources import RowError, in_files
from training.stages import Source
from training.verifiers.judge import JudgeFailed

SECONDS = 120.0
"""That one judgement may take."""


class HttpCritic:
    """Labels by questions of one word, greedily."""

    def __init__(self, client: httpx.AsyncClient, model: str = "") -> None:
        self._client, self._named = client, {"model": model} if model else {}

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
        """The one of these that the model says first. Raises JudgeFailed for none of them."""
        messages = [{"role": "user", "content": text}]
        body = {"messages": messages, "temperature": 0, **self._named}
        try:
            reply = await self._client.post("chat/completions", json=body)
            reply.raise_for_status()
            said = str(reply.json()["choices"][0]["message"]["content"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            url = self._client.base_url
            raise JudgeFailed(f"judge: no answer from {url}: {error!r}") from error
        found = {said.lower().find(word.lower()): word for word in words}
        found.pop(-1, None)
        if not found:
            raise JudgeFailed(f"judge: none of {', '.join(words)} in {said[-80:]!r}")
        return found[min(found)]


async def label(rows: Path, out: Path, critic: HttpCritic, at_once: int) -> int:
    """Rows go to `out` in their order as they are done; those that are there are not done again.

    Returns how many were labelled. Raises RowError and JudgeFailed; what was done is kept.
    """
    found = [answered(row) for row in in_files([Source(path=str(rows))])]
    done = _done(out)
    with out.open("a", encoding="utf-8") as lines, Progress(transient=True) as progress:
        task = progress.add_task("labelled", total=len(found), completed=done)
        for first in range(done, len(found), at_once):
            batch = found[first : first + at_once]
            said = await asyncio.gather(*(reflected(row, critic) for row in batch))
            for row, answer in zip(batch, said, strict=True):
                lines.write(_line({"question": row.question, "answer": answer}))
            lines.flush()
            progress.advance(task, len(batch))
    return len(found) - done


def _done(out: Path) -> int:
    """Whole lines that are there; half a line, of a run that was killed, is taken away."""
    if not out.exists():
        return 0
    text = out.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        out.write_bytes(whole)
    return whole.count(b"\n")


def _line(row: Mapping[str, str]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


async def labelled(options: argparse.Namespace) -> int:
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
        count = asyncio.run(labelled(options))
    except (JudgeFailed, RowError) as error:
        print(f"reflect: {error}", file=sys.stderr)
        return 1
    print(f"{count} rows labelled")
    return 0


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
