"""What came of a request's choices, for replies that are sent whole."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from decoding.tool_calls import joined
from decoding.types import Delta, Event, Final, Phase, Score, TokenLogprob, ToolCall

Events = AsyncGenerator[tuple[int, Event], None]
"""Events with the number of their choice."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One choice. `content` is empty where the answer has no text."""

    reasoning: str
    content: str
    final: Final
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the content's drawn tokens, if they were asked for."""
    score: Score | None = None


async def outcomes(events: Events) -> list[Outcome]:
    """In the order of their choices."""
    deltas: dict[int, list[Delta]] = {}
    finals: dict[int, Final] = {}
    scores: dict[int, Score] = {}
    async with aclosing(events):
        async for index, event in events:
            if isinstance(event, Delta):
                deltas.setdefault(index, []).append(event)
            elif isinstance(event, Final):
                finals[index] = event
            elif isinstance(event, Score):
                scores[index] = event
    return [
        _outcome(deltas.get(index, []), finals[index], scores.get(index))
        for index in sorted(finals)
    ]


def _outcome(deltas: list[Delta], final: Final, score: Score | None) -> Outcome:
    def text(phase: Phase) -> str:
        return "".join(delta.text for delta in deltas if delta.phase == phase)

    logprobs = tuple(each for delta in deltas for each in delta.logprobs)
    calls = joined(piece for delta in deltas for piece in delta.tool_calls)
    return Outcome(text("reasoning"), text("content"), final, calls, logprobs, score)
