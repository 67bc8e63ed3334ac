"""The settings that a sweep compares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Method = Literal["budget", "waits", "own", "votes"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of asking. `options` go into the request beside the messages."""

    name: str
    method: Method
    options: dict[str, Any] = field(default_factory=dict)
    most: float = math.inf
    """Thinking tokens that were asked for at most."""
    samples: int = 1
    """Answers to each question, drawn with the seeds 0, 1, …"""


def sweep(
    budgets: Sequence[int], waits: Sequence[int], samples: int, max_tokens: int | None = None
) -> list[Setting]:
    """Greedy at each budget, at the model's own length and with each number of Waits; `samples`
    drawn at temperature 1 for single sample and majority, if more than 0."""
    common: dict[str, Any] = {} if max_tokens is None else {"max_tokens": max_tokens}
    greedy = {**common, "temperature": 0}
    settings = [
        Setting(f"budget {n}", "budget", {**greedy, "thinking": {"budget_tokens": n}}, n)
        for n in budgets
    ]
    settings.append(Setting("own length", "own", greedy))
    settings += [
        Setting(f"waits {n}", "waits", {**greedy, "thinking": {"waits": n}}) for n in waits
    ]
    if samples:
        drawn = {**common, "temperature": 1}
        settings.append(Setting(f"votes {samples}", "votes", drawn, samples=samples))
    return settings
