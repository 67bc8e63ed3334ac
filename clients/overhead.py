"""What a server adds to its engine: two servers under the same load of plain streams, in turns."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clients.load import Spread, all_of, percentile
from clients.questions import questions
from clients.streams import Stream, streamed
from clients.wire import BideError

LEVELS = (1, 16, 64)
"""Streams at once."""


@dataclass(frozen=True, slots=True)
class Rival:
    """pid: of its process, where that is known."""

    name: str
    url: str
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Burst:
    """tokens_per_s: of all streams together; first: median seconds to a stream's first text."""

    tokens_per_s: float
    first: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Both servers, one after the other."""

    ours: Burst
    theirs: Burst

    @property
    def throughput(self) -> float:
        return self.ours.tokens_per_s / self.theirs.tokens_per_s

    @property
    def first(self) -> float:
        return self.ours.first / self.theirs.first


def body(model: str, question: str, length: int, eos_ids: Sequence[int]) -> dict[str, Any]:
    """Plain chat of a fixed length, in fields that both servers know."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": length,
        "temperature": 0,
        "logit_bias": {str(token): -100 for token in eos_ids},
        "chat_template_kwargs": {"enable_thinking": False},
    }


async def burst(url: str, bodies: Sequence[dict[str, Any]], at_once: int) -> Burst:
    """All bodies, so many at once; a stream that ends makes room for the next."""
    room = asyncio.Semaphore(at_once)

    async def one(asking: dict[str, Any]) -> Stream:
        async with room:
            stream = await streamed(url, asking)
        if stream.tokens != asking["max_tokens"]:
            raise BideError(
                f"{url}: a stream ended after {stream.tokens} tokens of {asking['max_tokens']}: "
                "--eos-id must name every token that ends this model's turn"
            )
        return stream

    begun = time.perf_counter()
    streams = await all_of([one(asking) for asking in bodies])
    seconds = time.perf_counter() - begun
    tokens = sum(stream.tokens for stream in streams)
    return Burst(tokens / seconds, percentile([stream.first for stream in streams], 0.5))


async def compare(
    ours: Rival,
    theirs: Rival,
    at_once: int,
    rounds: int,
    bodies: Callable[[int], Sequence[dict[str, Any]]],
) -> list[Turn]:
    """Turns, whose order changes each time; one first to warm up, which is dropped.

    bodies: what to ask in each round.
    """
    turns = []
    for number in range(1 + rounds):
        asked = bodies(number)
        order = (ours, theirs) if number % 2 else (theirs, ours)
        found = {rival.name: await burst(rival.url, asked, at_once) for rival in order}
        turns.append(Turn(found[ours.name], found[theirs.name]))
    return turns[1:]


def asking(
    model: str, at_once: int, length: int, eos_ids: Sequence[int], seed: int
) -> Callable[[int], list[dict[str, Any]]]:
    """Other questions each round, so that few prompts are in a cache already; three a stream, so
    that most begin while others run, as under a steady load."""

    def bodies(number: int) -> list[dict[str, Any]]:
        asked = questions(3 * at_once, f"{seed}:overhead:{at_once}:{number}")
        return [body(model, question, length, eos_ids) for question in asked]

    return bodies


def summary(turns: Sequence[Turn]) -> dict[str, Spread]:
    return {
        "our_tokens_per_s": Spread.of([turn.ours.tokens_per_s for turn in turns]),
        "their_tokens_per_s": Spread.of([turn.theirs.tokens_per_s for turn in turns]),
        "throughput_ratio": Spread.of([turn.throughput for turn in turns]),
        "our_first_text_ms": Spread.of([1e3 * turn.ours.first for turn in turns]),
        "their_first_text_ms": Spread.of([1e3 * turn.theirs.first for turn in turns]),
        "first_text_ratio": Spread.of([turn.first for turn in turns]),
    }
