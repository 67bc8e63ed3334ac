"""What replies of every API say of thinking, votes and tokens."""

from collections.abc import Sequence
from typing import Any

from decoding.types import Election, Thinking, Usage
from server.schema.controls import ControlFields


def thinking_object(
    thinking: Thinking | None,
    control: ControlFields | None = None,
    reduced_from: int | None = None,
) -> dict[str, Any] | None:
    """reduced_from: the budget that it would have had, had the server not been busy."""
    if thinking is None:
        return None
    return {
        "tokens": thinking.tokens,
        "waits": thinking.waits,
        "injected": [
            {"position": i.position, "text": i.text, "tokens": len(i.token_ids)}
            for i in thinking.injected
        ],
        "probes": [
            {"position": probe.position, "answer": probe.answer, "tokens": probe.tokens}
            for probe in thinking.probes
        ],
        "end": thinking.end,
        "budget_tokens": thinking.budget_tokens,
        "reduced_from": reduced_from,
        "control": control_object(control, thinking.attempts),
    }


def vote_object(vote: Election) -> dict[str, Any]:
    return {
        "answer": vote.answer,
        "counts": dict(vote.counts),
        "weights": dict(vote.weights),
        "started": vote.started,
        "finished": vote.finished,
        "aborted": vote.aborted,
        "filtered": vote.filtered,
        "abstained": vote.abstained,
        "tokens": vote.tokens,
        "stopped_by": vote.stopped_by,
    }


def control_object(control: ControlFields | None, attempts: int | None) -> dict[str, Any] | None:
    """As it was asked for; with `attempts_used` where it made some."""
    if control is None:
        return None
    used = {} if attempts is None else {"attempts_used": attempts}
    return {**control.model_dump(), **used}


def usage_object(usages: Sequence[Usage], prompt: int | None = None) -> dict[str, Any]:
    """The completions of all choices together, and `prompt` tokens; by default one prompt's."""
    prompt = usages[0].prompt if prompt is None else prompt
    completion = sum(usage.completion for usage in usages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "completion_tokens_details": token_details(usages),
    }


def token_details(usages: Sequence[Usage]) -> dict[str, int]:
    return {
        "reasoning_tokens": sum(usage.reasoning for usage in usages),
        "injected_tokens": sum(usage.injected for usage in usages),
        "discarded_tokens": sum(usage.discarded for usage in usages),
    }
