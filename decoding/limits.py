"""What bounds a thought, on either side, and the texts around it."""

from dataclasses import dataclass


class ConfigError(ValueError):
    """A config that contradicts itself; `field` is the part of it at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BudgetError(ConfigError):
    """Of a thought's budget."""


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """What a request may say of its thinking, in tokens.

    budget_tokens: the most, over all rounds and with injected tokens counted; None for no cap.
    wait: the texts that replace end attempts, in turn. end_text: the last words of a cut thought,
    inside the budget. answer_prefix: written after a cut thought; None for the model's own.
    soft_window: a thought may end at a sentence boundary within this many tokens of its cap.
    """

    budget_tokens: int | None = None
    min_tokens: int = 0
    waits: int = 0
    wait: tuple[str, ...] = ("Wait",)
    end_text: str = ""
    answer_prefix: str | None = None
    soft_window: int = 0


def answer_share(max_tokens: int, reserve: int) -> int:
    """Completion tokens that are the answer's: the reserve, or half of a short completion."""
    return max(1, min(reserve, max_tokens // 2))


def check(
    config: BudgetConfig, waits: tuple[tuple[int, ...], ...], end_text: tuple[int, ...]
) -> None:
    """Raises BudgetError if `config`, whose texts are these tokens, contradicts itself."""
    cap = config.budget_tokens
    if not config.wait or not all(waits):
        raise BudgetError("wait", "must be a text, or a list of texts, none of them empty")
    if cap is None:
        return
    if config.min_tokens > cap:
        raise BudgetError("min_tokens", f"{config.min_tokens} is over the budget of {cap}")
    if config.soft_window > cap:
        raise BudgetError("soft_window", f"{config.soft_window} is over the budget of {cap}")
    if 0 < cap < len(end_text):
        message = f"is {len(end_text)} tokens long, over the budget of {cap}"
        raise BudgetError("end_text", message)
