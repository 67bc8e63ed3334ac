"""From a request's thinking to the program that carries it out: the only place that knows all."""

from dataclasses import dataclass, replace

from decoding.adaptive import Adaptive, AdaptiveConfig
from decoding.budget import Budget
from decoding.controls import Control, Rejection, RejectionControl
from decoding.direct import Direct
from decoding.engine import Codec, Policy
from decoding.limits import BudgetConfig, BudgetError, answer_share
from decoding.markers import Markers
from decoding.scholar import Scholar, ScholarConfig
from decoding.scoring import Scoring
from decoding.self_rag import SelfRag, SelfRagConfig
from decoding.vote import Vote, VoteConfig, VoteError

__all__ = [
    "AdaptiveConfig",
    "BudgetConfig",
    "BudgetError",
    "Disabled",
    "Scholar",
    "ScholarConfig",
    "SelfRag",
    "SelfRagConfig",
    "ThinkingConfig",
    "Vote",
    "VoteConfig",
    "VoteError",
    "answer_share",
    "build",
    "plain",
]


@dataclass(frozen=True, slots=True)
class Disabled:
    """No thinking: the prompt closes it before it begins."""


ThinkingConfig = BudgetConfig | AdaptiveConfig | Disabled


def build(
    config: ThinkingConfig,
    *,
    codec: Codec,
    markers: Markers | None,
    turn_ends: frozenset[int],
    answer_reserve: int,
    max_tokens: int,
    control: Control | None = None,
) -> Policy:
    """The policy for a model; one without markers does not think and samples directly.

    A control that is an instruction has been followed in the prompt already. Raises BudgetError
    for a config that contradicts itself or `max_tokens`, or that asks such a model to think.
    """
    if control is not None and (markers is None or isinstance(config, Disabled)):
        raise BudgetError("control", "there is no thinking to control")
    if markers is None:
        if config not in (BudgetConfig(), Disabled()):
            raise BudgetError("type", "this model has no thinking markers; configure them")
        return Direct(turn_ends)
    if isinstance(config, Disabled):
        return Direct(turn_ends, disabled=True)
    if isinstance(config, AdaptiveConfig):
        if isinstance(control, RejectionControl):
            raise BudgetError("control", "rejection and adaptive thinking exclude each other")
        adaptive = Adaptive(config, markers, codec, answer_reserve)
        adaptive.check(max_tokens)
        return adaptive
    budget = Budget(config, markers, codec, answer_reserve)
    budget.check(max_tokens)
    if isinstance(control, RejectionControl):
        return _rejection(budget, control, max_tokens)
    return budget


def plain(turn_ends: frozenset[int], *, scores: bool) -> Policy:
    """The policy for a raw prompt. scores: whether it is to be scored, for one token at most."""
    return Scoring(turn_ends) if scores else Direct(turn_ends)


def _rejection(budget: Budget, control: RejectionControl, max_tokens: int) -> Rejection:
    """Rejection sampling of a budget's thoughts, the last of which is cut where it has to be.

    An attempt's own cap lets it pass the limit by a wait text and one token: so the engine itself
    stops what is going to be rejected, however many tokens it gathers before it says them, and a
    wait text that is due is never left out for want of room.
    """
    config, limit = budget.config, control.limit
    if limit + budget.overhead >= max_tokens:
        least = limit + budget.overhead + 1
        message = f"{limit} needs max_tokens of at least {least}, not {max_tokens}"
        raise BudgetError("control.limit", message)
    if config.budget_tokens is not None and config.budget_tokens <= limit:
        message = f"{limit} rejects nothing: the budget is {config.budget_tokens}"
        raise BudgetError("control.limit", message)
    waits = config.waits or config.min_tokens
    spare = 1 + (max(len(budget.codec.encode(wait)) for wait in config.wait) if waits else 0)
    cap = min(limit + spare, config.budget_tokens or limit + spare)
    attempt = replace(config, budget_tokens=cap, end_text="", soft_window=0)
    try:
        last = replace(budget, config=replace(config, budget_tokens=limit))
    except BudgetError as error:
        raise BudgetError(error.field, f"{error}, which control.limit sets") from error
    return Rejection(replace(budget, config=attempt), last, limit, control.attempts)
