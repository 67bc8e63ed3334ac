"""`python -m training.evaluate.lookups`: held-out look-ups, asked of a running server.

Each comes with passages: those that answer it, and others on other people or other things, some
that ask the same and do not answer, and some that state a bound alone. Beside accuracy: whether
relevance and support are as they should be (AUC), whether citations are right, and how often
passages are asked for at all.
"""

import argparse
import asyncio
import json
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from clients.load import all_of
from clients.wire import BideError, error_of
from training.evaluate.intervals import wilson
from training.world import lookups
from training.world.families import exam as world_exam
from training.world.lookups import Lookup
from training.world.problem import Split

OTHERS = 4
"""Passages beside those that answer."""

BOUNDS = 0.4
"""Of the questions have a passage too that states a bound alone."""

UNCRITICAL = {"relevance": 0.0, "support": 0.0, "utility": 0.0}

METHODS: Mapping[str, dict[str, Any]] = {
    "no retrieval": {"mode": "never"},
    "top-1": {"mode": "always", "top_k": 1, "beam": 1},
    "always, no critique": {"mode": "always", "weights": UNCRITICAL},
    "always": {"mode": "always"},
    "Self-RAG": {},
    "without support": {"weights": {"support": 0.0}},
    "without relevance": {"weights": {"relevance": 0.0}},
    "beam 1": {"beam": 1},
}
THRESHOLDS = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)

Document = dict[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """answer: its numbers, in any order. right: ids of documents that state some of them;
    relevant: those and the ones that state a bound."""

    text: str
    answer: tuple[str, ...]
    documents: tuple[Document, ...]
    right: frozenset[str]
    relevant: frozenset[str]


@dataclass(slots=True)
class Tally:
    """Of one method. by_facts: correct and asked, by how many numbers and passages make the answer.
    relevance, support: what was said of passages, and whether it was so."""

    correct: int = 0
    by_facts: dict[str, list[int]] = field(default_factory=dict)
    asked: int = 0
    retrieved: int = 0
    cited: int = 0
    rightly: int = 0
    statements: int = 0
    supported: int = 0
    relevance: list[tuple[float, bool]] = field(default_factory=list)
    support: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, question: Question, content: str, told: Mapping[str, Any]) -> None:
        self.asked += 1
        self.retrieved += told["retrievals"] > 0
        is_correct = sorted(numbers(plain(content))) == sorted(question.answer)
        self.correct += is_correct
        kind = f"{len(question.answer)} in {len(question.right)}"
        counts = self.by_facts.setdefault(kind, [0, 0])
        counts[0] += is_correct
        counts[1] += 1
        texts = {each["id"]: each["text"] for each in question.documents}
        for each in told["citations"]:
            said = numbers(content[each["start"] : each["end"]])
            self.cited += 1
            is_right = bool(said) and all(n in numbers(texts[each["document_id"]]) for n in said)
            self.rightly += is_right and each["document_id"] in question.right
        spans = [
            (each["start"], each["end"], numbers(texts[each["document_id"]]))
            for each in told["citations"]
        ]
        for at in re.finditer(r"\d+", content):
            if not content[: at.start()].endswith(" ["):  # a citation's own
                self.statements += 1
                self.supported += any(
                    start <= at.start() < end and at[0] in cited for start, end, cited in spans
                )
        for each in told.get("tree", ()):
            self._critique(question, each)

    def _critique(self, question: Question, trial: Mapping[str, Any]) -> None:
        if trial["document_id"] is None or trial["parent"] is not None:
            return
        if trial["relevance"] is not None:
            self.relevance.append((trial["relevance"], trial["document_id"] in question.relevant))
        if trial["support"] is not None:
            self.support.append((trial["support"], trial["document_id"] in question.right))


def exam(size: int, split: Split, seed: int = 0) -> Iterator[Question]:
    rng = random.Random(f"lookups:{seed}:{split}")
    for _ in range(size):
        yield asked(rng, lookups.draw(rng, split))


def asked(rng: random.Random, lookup: Lookup) -> Question:
    bounds = [lookups.bound(rng, lookup)] if rng.random() < BOUNDS else []
    others = lookups.distractors(rng, lookup, OTHERS - len(bounds))
    sources = [*lookup.sources, *bounds, *others]
    numbered = list(enumerate(sources))
    rng.shuffle(numbered)
    documents = tuple(
        {"id": str(number), "title": each.title, "text": each.text} for number, each in numbered
    )
    ids = [str(number) for number in range(len(sources))]
    right = frozenset(ids[: len(lookup.sources)])
    relevant = frozenset(ids[: len(lookup.sources) + len(bounds)])
    answer = tuple(str(each) for each in lookup.counts.values())
    return Question(lookup.problem.question, answer, documents, right, relevant)


def self_contained(size: int, split: Split) -> Iterator[Question]:
    """Questions that need no passage, with passages of some other question all the same."""
    problems = (each for each in world_exam(2 * size, split=split) if numbers(each.answer))
    for problem, other in zip(problems, exam(size, split, 1), strict=False):
        answer = tuple(numbers(problem.answer))
        yield Question(problem.question, answer, other.documents, frozenset(), frozenset())


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def plain(content: str) -> str:
    """Without the marks of citations."""
    return re.sub(r" \[\d+\]", "", content)


def auc(scored: Sequence[tuple[float, bool]]) -> float | None:
    """The chance that one that is so has the higher score than one that is not."""
    good = [score for score, is_so in scored if is_so]
    bad = [score for score, is_so in scored if not is_so]
    if not good or not bad:
        return None
    ranked = sorted((score, is_so) for score, is_so in scored)
    total, below, i = 0.0, 0, 0
    while i < len(ranked):
        j = i
        while j < len(ranked) and ranked[j][0] == ranked[i][0]:
            j += 1
        alike = ranked[i:j]
        worse = sum(not is_so for _, is_so in alike)
        total += sum(is_so for _, is_so in alike) * (below + worse / 2)
        below, i = below + worse, j
    return total / (len(good) * len(bad))


class Examiner:
    """Asks a server, so many questions at once."""

    def __init__(self, http: httpx.AsyncClient, at_once: int) -> None:
        self._http, self._room = http, asyncio.Semaphore(at_once)

    async def tally(self, questions: Sequence[Question], method: Mapping[str, Any]) -> Tally:
        """Raises BideError."""
        found = Tally()
        replies = await all_of([self._ask(each, method) for each in questions])
        for question, (content, told) in zip(questions, replies, strict=True):
            found.add(question, content, told)
        return found

    async def _ask(
        self, question: Question, method: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]]:
        body = {
            "messages": [{"role": "user", "content": question.text}],
            "temperature": 0,
            "max_tokens": 100,
            "self_rag": {"documents": list(question.documents), "tree": True, **method},
        }
        async with self._room:
            response = await self._http.post("/v1/chat/completions", json=body)
        if not response.is_success:
            raise error_of(response)
        (choice,) = response.json()["choices"]
        return choice["message"]["content"], choice["self_rag"]


async def examined(options: argparse.Namespace) -> dict[str, Any]:
    split: Split = options.split
    questions = list(exam(options.n, split))
    half = (options.sweep or options.n) // 2
    mixed = [*exam(half, split), *self_contained(half, split)]
    async with httpx.AsyncClient(base_url=options.url.rstrip("/"), timeout=600) as http:
        examiner = Examiner(http, options.at_once)
        methods = {name: await examiner.tally(questions, each) for name, each in METHODS.items()}
        sweep = {str(each): await examiner.tally(mixed, {"threshold": each}) for each in THRESHOLDS}
    return {
        "n": options.n,
        "split": split,
        "methods": {name: line(each) for name, each in methods.items()},
        "thresholds": {name: line(each) for name, each in sweep.items()},
    }


def line(tally: Tally) -> dict[str, Any]:
    low, high = wilson(tally.correct, tally.asked)
    found = asdict(tally)
    relevance, support = found.pop("relevance"), found.pop("support")
    return {
        **found,
        "accuracy": 100 * tally.correct / tally.asked,
        "low": low,
        "high": high,
        "relevance_auc": auc(relevance),
        "support_auc": auc(support),
        "precision": tally.rightly / tally.cited if tally.cited else None,
        "recall": tally.supported / tally.statements if tally.statements else None,
    }


def table(title: str, lines: Mapping[str, Mapping[str, Any]]) -> Table:
    made = Table(title=title, title_justify="left")
    columns = ("accuracy", "retrieved", "precision", "recall", "IsRel AUC", "IsSup AUC")
    for column in ("", *columns):
        made.add_column(column, justify="left" if not column else "right")
    for name, each in lines.items():
        interval = f"{each['low']:.1f}, {each['high']:.1f}"
        made.add_row(
            name,
            f"{each['accuracy']:.1f} [{interval}]",
            f"{each['retrieved'] / each['asked']:.1%}",
            *(
                "–" if each[key] is None else f"{each[key]:.3f}"
                for key in ("precision", "recall", "relevance_auc", "support_auc")
            ),
        )
    return made


def main() -> int:
    options = parser().parse_args()
    if options.export is not None:
        rows = [
            {"question": each.text, "documents": list(each.documents)}
            for each in exam(options.n, options.split)
        ]
        options.export.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return 0
    try:
        report = asyncio.run(examined(options))
    except (BideError, httpx.HTTPError) as error:
        print(f"lookups: {error!r}", file=sys.stderr)
        return 1
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    console = Console()
    console.print(table(f"{report['n']} look-ups", report["methods"]))
    title = "by threshold; half of the questions need no passage"
    console.print(table(title, report["thresholds"]))
    return 0


def at_least_two(text: str) -> int:
    if int(text) < 2:
        raise argparse.ArgumentTypeError("should be 2 at least: half of them need no passage")
    return int(text)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m training.evaluate.lookups",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--url", default="http://localhost:8000")
    made.add_argument("--n", type=at_least_two, default=500)
    made.add_argument(
        "--sweep", type=at_least_two, help="questions of each threshold; default: as many"
    )
    made.add_argument("--split", choices=("dev", "test"), default="dev")
    made.add_argument("--at-once", type=int, default=16)
    made.add_argument("--json", type=Path, help="write the figures there")
    made.add_argument("--export", type=Path, help="write the questions there, and ask nothing")
    return made


if __name__ == "__main__":
    sys.exit(main())
