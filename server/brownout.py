"""Less thinking for all before anybody is refused."""

from dataclasses import dataclass, replace

from decoding.controls import Control, RejectionControl
from decoding.policies import AdaptiveConfig, BudgetConfig, Disabled, ThinkingConfig


@dataclass(frozen=True, slots=True)
class Brownout:
    """begins: the share of a full queue from which the ceiling of thinking sinks, None for never;
    floor: the ceiling in tokens at a full queue."""

    begins: float | None
    floor: int

    def ceiling(self, pressure: float, most: int) -> int:
        """Tokens of thought: `most` until it begins, then on a straight line to the floor.

        pressure: how full the queue is, from 0 to 1.
        """
        if self.begins is None or pressure <= self.begins or most <= self.floor:
            return most
        share = (1 - pressure) / (1 - self.begins)
        return self.floor + int((most - self.floor) * share)

    def reduced(
        self, config: ThinkingConfig, control: Control | None, pressure: float, most: int
    ) -> tuple[ThinkingConfig, int | None]:
        """`config` under the ceiling, and its budget before where that was higher.

        What could not be had then as it was asked for is left alone. most: tokens that a thought
        without a cap has.
        """
        if isinstance(config, Disabled) or isinstance(control, RejectionControl):
            return config, None
        budget = config.budget if isinstance(config, AdaptiveConfig) else config
        own = most if budget.budget_tokens is None else budget.budget_tokens
        ceiling = max(self.ceiling(pressure, max(own, most)), least(budget))
        if ceiling >= own:
            return config, None
        lower = replace(budget, budget_tokens=ceiling)
        if isinstance(config, AdaptiveConfig):
            return replace(config, budget=lower), own
        return lower, own


def least(budget: BudgetConfig) -> int:
    """The lowest budget with which the rest of a request still holds: no text has more tokens than
    bytes."""
    return max(budget.min_tokens, budget.soft_window, len(budget.end_text.encode()))
