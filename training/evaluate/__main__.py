"""`python -m training.evaluate`: sweep budgets and Waits through a running server."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from clients.client import AsyncBide, BideError
from training.evaluate import report
from training.evaluate.answers import Rows, ask_all
from training.evaluate.settings import Setting, sweep
from training.evaluate.summary import by_kind, comparisons, figures_of_s1, summarise
from training.evaluate.tasks import WORLD, Question, TaskError, load

BUDGETS = (0, 16, 32, 64, 128, 256, 512)
WAITS = (1, 2, 3)


class Mismatch(ValueError):
    """The folder holds another sweep's rows."""


def main() -> int:
    options = _parse()
    settings = sweep(options.budgets, options.waits, options.samples, options.max_tokens)
    try:
        questions = load(options.task, options.n, options.split)
        options.out.mkdir(parents=True, exist_ok=True)
        _claim(options)
        rows = Rows(options.out / "rows.jsonl")
    except (TaskError, Mismatch) as error:
        print(f"bide eval: {error}", file=sys.stderr)
        return 2
    failed: BaseException | None = None
    try:
        asyncio.run(_ask(options, rows, settings, questions))
    except* BideError as group:
        failed = group.exceptions[0]
    if failed is not None:
        print(f"bide eval: {failed}; the same command goes on from here", file=sys.stderr)
        return 1
    _report(options, rows, settings)
    return 0


def _parse() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",") if part]

    parser = argparse.ArgumentParser(
        prog="bide eval",
        description="Accuracy against thinking tokens, measured through a running server.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--api-key", default=None)
    parser.add_argument(
        "--task", default="world", help=f"{', '.join(WORLD)}, or a JSONL of question and answer"
    )
    parser.add_argument("--split", choices=("dev", "test"), default="test", help="of the world")
    parser.add_argument("--n", type=int, default=1000, help="questions")
    parser.add_argument("--budgets", type=numbers, default=list(BUDGETS), help="comma-separated")
    parser.add_argument("--waits", type=numbers, default=list(WAITS), help="comma-separated")
    parser.add_argument("--samples", type=int, default=16, help="at T = 1, to vote; 0 for none")
    parser.add_argument("--max-tokens", type=int, default=None)
    parser.add_argument("--concurrency", type=int, default=64, help="requests at once")
    parser.add_argument("--title", default="Test-time scaling")
    parser.add_argument("--out", type=Path, default=Path("results/eval"), help="resumed if there")
    return parser.parse_args()


def _claim(options: argparse.Namespace) -> None:
    """One folder, one exam: rows of another task must not be mixed in."""
    path = options.out / "task.json"
    task = {"task": options.task, "split": options.split, "n": options.n, "url": options.url}
    if path.exists() and (there := json.loads(path.read_text())) != task:
        raise Mismatch(f"{options.out} holds {there}, not {task}: choose another --out")
    path.write_text(json.dumps(task) + "\n")


async def _ask(
    options: argparse.Namespace, rows: Rows, settings: list[Setting], questions: list[Question]
) -> None:
    jobs = rows.missing(settings, questions)
    total = sum(setting.samples for setting in settings) * len(questions)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    async with AsyncBide(options.url, api_key=options.api_key) as client:
        with Progress(*columns) as progress:
            task = progress.add_task("asking", total=total, completed=total - len(jobs))
            await ask_all(client, rows, jobs, options.concurrency, lambda: progress.advance(task))


def _report(options: argparse.Namespace, rows: Rows, settings: list[Setting]) -> None:
    lines = summarise(rows.rows, settings)
    s1, differences = figures_of_s1(lines), comparisons(lines)
    kinds = by_kind(rows.rows, "own length")
    report.print_table(lines, options.title)
    report.print_rest(s1, differences)
    print("own length: " + ", ".join(f"{k} {a:.1f} ({n})" for k, (a, n) in kinds.items()))
    more = {"task": options.task, "s1": s1, "differences": differences, "own_length_by_kind": kinds}
    report.write_json(options.out / "summary.json", lines, more)
    report.write_markdown(options.out / "table.md", lines)
    report.write_figure(options.out, lines, options.title)
    print(f"written to {options.out}")


if __name__ == "__main__":
    sys.exit(main())
