"""Rows of answers into the figures of a table."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from training.evaluate.answers import Row
from training.evaluate.intervals import paired_difference, wilson
from training.evaluate.metrics import Point, control, performance, scaling
from training.evaluate.settings import Setting


@dataclass(frozen=True, slots=True)
class Line:
    """A setting's results: accuracy and its 95% interval in percent, thinking in mean tokens."""

    name: str
    method: str
    questions: int
    accuracy: float
    low: float
    high: float
    tokens: float
    most: float
    scores: tuple[float, ...]
    """One a question, in order of its number, from 0 to 1."""


def summarise(rows: Sequence[Row], settings: Sequence[Setting]) -> list[Line]:
    """A line a setting; a sampled one gives two, its single sample and its majority."""
    by_setting: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_setting[row["setting"]].append(row)
    lines = []
    for setting in settings:
        groups = _by_question(by_setting[setting.name])
        if setting.method != "votes":
            lines.append(_line(setting.name, setting, groups, _mean_correct))
            continue
        lines.append(_line("one sample at T = 1", setting, groups, _mean_correct))
        count = setting.samples
        for votes in [k for k in (4, 8, 16, 32, 64) if k <= count]:
            first = {q: group[:votes] for q, group in groups.items()}
            lines.append(_line(f"majority of {votes}", setting, first, _majority_correct))
        lines.append(_line(f"any of {count}", setting, groups, _any_correct))
    return lines


def by_kind(rows: Sequence[Row], setting: str) -> dict[str, tuple[float, int]]:
    """Accuracy in percent and number of answers of each kind of question."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row["setting"] == setting:
            kinds[row["kind"]].append(row["correct"])
    return {kind: (100 * sum(c) / len(c), len(c)) for kind, c in sorted(kinds.items())}


def comparisons(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Paired differences that the claims rest on, each with its 95% interval in points."""
    named = {line.name: line for line in lines}
    pairs = [
        ("own length", "waits 1"),
        ("waits 1", "waits 2"),
        ("waits 1", "waits 3"),
        ("budget 16", "budget 256"),
        ("one sample at T = 1", "majority of 16"),
    ]
    budgets = [line.name for line in lines if line.method == "budget"]
    pairs += list(pairwise(budgets))
    differences = []
    for before, after in dict.fromkeys(pairs):
        if before in named and after in named:
            mean, low, high = paired_difference(named[before].scores, named[after].scores)
            differences.append(
                {"from": before, "to": after, "points": mean, "low": low, "high": high}
            )
    return differences


def figures_of_s1(lines: Sequence[Line]) -> dict[str, float]:
    """Control, Scaling and Performance of the budget settings, the own length among them."""
    points = [
        Point(line.tokens, line.accuracy, most=line.most)
        for line in lines
        if line.method in ("budget", "own")
    ]
    return {
        "control": control(points),
        "scaling": scaling(points),
        "performance": performance(points),
    }


def _by_question(rows: Sequence[Row]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["question"]].append(row)
    return {q: sorted(groups[q], key=lambda row: int(row["sample"])) for q in sorted(groups)}


def _line(name: str, setting: Setting, groups: dict[int, list[Row]], score: Any) -> Line:
    scores = tuple(score(group) for group in groups.values())
    low, high = wilson(sum(scores), len(scores))
    thought = [row["thinking_tokens"] for group in groups.values() for row in group]
    return Line(
        name,
        setting.method,
        len(scores),
        100 * sum(scores) / max(1, len(scores)),
        low,
        high,
        sum(thought) / max(1, len(thought)),
        setting.most,
        scores,
    )


def _mean_correct(group: Sequence[Row]) -> float:
    return float(sum(row["correct"] for row in group) / len(group))


def _any_correct(group: Sequence[Row]) -> float:
    return float(any(row["correct"] for row in group))


def _majority_correct(group: Sequence[Row]) -> float:
    """The commonest answer, the earliest of equals; no answer is no vote."""
    votes = Counter(row["answer"] for row in group if row["answer"] is not None)
    if not votes:
        return 0.0
    winner = votes.most_common(1)[0][0]
    return float(next(row["correct"] for row in group if row["answer"] == winner))
