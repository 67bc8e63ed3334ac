"""What came of a request's choices, for replies that are sent whole."""

from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from decoding.types import Delta, Event, Final, Phase

Events = AsyncGenerator[tuple[int, Event], None]
"""Events with the number of their choice."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One choice. `content` is empty where the answer has no text."""

    reasoning: str
    content: str
    final: Final


async def outcomes(events: Events) -> list[Outcome]:
    """In the order of their choices."""
    texts: dict[int, dict[Phase, str]] = defaultdict(lambda: defaultdict(str))
    finals: dict[int, Final] = {}
    async with aclosing(events):
        async for index, event in events:
            if isinstance(event, Delta):
                texts[index][event.phase] += event.text
            elif isinstance(event, Final):
                finals[index] = event
    return [
        Outcome(texts[index]["reasoning"], texts[index]["content"], finals[index])
        for index in sorted(finals)
    ]
