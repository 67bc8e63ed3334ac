"""What a load costs: rounds of requests on a running server, timed on this side of the wire.

Throughput: forced requests, against the engine generating as many tokens plain, in turns. Latency:
forced and unforced requests at once, more than the engine holds.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from clients.client import AsyncBide, BideError, Done, Reply
from clients.questions import questions

T = TypeVar("T")
Tick = Callable[[], None]
"""Called once a request is done."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the server. `eos_ids` end the model's turn: plain requests may not end."""

    requests: int
    slots: int
    rounds: int
    waits: int
    cap: int
    answer_tokens: int
    temperature: float
    eos_ids: tuple[int, ...]
    seed: int

    @property
    def at_once(self) -> int:
        """Requests of a latency round, half of them forced."""
        return 4 * self.slots

    @property
    def forced(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature,
            "max_tokens": self.cap + self.answer_tokens,
            "thinking": {"waits": self.waits, "budget_tokens": self.cap},
        }

    @property
    def unforced(self) -> dict[str, Any]:
        """With room to end by itself, four times that of a forced one."""
        return {
            "temperature": self.temperature,
            "max_tokens": 4 * (self.cap + self.answer_tokens),
        }

    def plain(self, length: int) -> dict[str, Any]:
        """`length` tokens of completion, whatever the model would say."""
        return {
            "temperature": self.temperature,
            "max_tokens": length,
            "thinking": {"type": "disabled"},
            "logit_bias": self.bias(-100.0),
        }

    def bias(self, value: float) -> dict[str, float]:
        return {str(token): value for token in self.eos_ids}


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens that the engine generated, and the seconds until all requests were done."""

    tokens: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds


@dataclass(frozen=True, slots=True)
class ThroughputRound:
    """waits: texts injected for an end of thought, per forced request; fewer than asked for
    where the cap came first."""

    forced: Rate
    plain: Rate
    waits: float

    @property
    def ratio(self) -> float:
        return self.forced.per_second / self.plain.per_second


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of a group of requests: seconds per generated token, after each request's first."""

    p50: float
    p99: float
    requests: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(percentile(values, 0.5), percentile(values, 0.99), len(values))


@dataclass(frozen=True, slots=True)
class LatencyRound:
    """cut: unforced requests whose thinking the server had to end after all, for want of room."""

    forced: Latencies
    unforced: Latencies
    cut: int

    @property
    def ratio(self) -> float:
        return self.forced.p99 / self.unforced.p99


def percentile(values: Sequence[float], share: float) -> float:
    """Between the two nearest values in proportion, as numpy does it. ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def latency_per_token(first: float, last: float, generated: int) -> float | None:
    """In seconds; None where there are not two tokens to measure between."""
    return (last - first) / (generated - 1) if generated > 1 else None


async def throughput_round(client: AsyncBide, load: Load, name: str, tick: Tick) -> ThroughputRound:
    """Forced requests, then plain ones that are each as long as the forced one was."""
    asked = questions(load.requests, f"{load.seed}:throughput:{name}")
    # A bias of nothing: the sampler has the same work in both halves.
    forced = {**load.forced, "logit_bias": load.bias(0.0)}
    replies, rate = await timed(client, asked, [forced] * len(asked), tick)
    lengths = [reply.usage.completion_tokens for reply in replies]
    plain, plain_rate = await timed(client, asked, [load.plain(n) for n in lengths], tick)
    for reply, length in zip(plain, lengths, strict=True):
        if reply.usage.completion_tokens != length:
            raise BideError(
                f"a plain request ended after {reply.usage.completion_tokens} tokens of {length}: "
                "--eos-id must name every token that ends this model's turn"
            )
    waits = statistics.fmean(reply.thinking.waits if reply.thinking else 0 for reply in replies)
    return ThroughputRound(rate, plain_rate, waits)


async def timed(
    client: AsyncBide, asked: Sequence[str], options: Sequence[dict[str, Any]], tick: Tick
) -> tuple[list[Reply], Rate]:
    """All requests at once."""

    async def one(question: str, fields: dict[str, Any]) -> Reply:
        reply = await client.chat([{"role": "user", "content": question}], **fields)
        tick()
        return reply

    start = time.perf_counter()
    replies = await all_of([one(q, o) for q, o in zip(asked, options, strict=True)])
    seconds = time.perf_counter() - start
    return replies, Rate(sum(reply.usage.generated_tokens for reply in replies), seconds)


async def latency_round(client: AsyncBide, load: Load, name: str, tick: Tick) -> LatencyRound:
    """Every second request is forced."""
    asked = questions(load.at_once, f"{load.seed}:latency:{name}")

    async def one(number: int, question: str) -> tuple[float | None, Done]:
        timing = await streamed(client, question, load.unforced if number % 2 else load.forced)
        tick()
        return timing

    found = await all_of([one(i, question) for i, question in enumerate(asked)])
    groups = [[each for each, _ in found[half::2] if each is not None] for half in (0, 1)]
    if not all(groups):
        raise BideError("the answers are too short to measure a latency between tokens")
    cut = sum(
        done.thinking is not None and done.thinking.end == "budget" for _, done in found[1::2]
    )
    return LatencyRound(Latencies.of(groups[0]), Latencies.of(groups[1]), cut)


async def streamed(
    client: AsyncBide, question: str, fields: dict[str, Any]
) -> tuple[float | None, Done]:
    """Seconds per token of one request, and its last event.

    That one comes with the last token, which is the end of the turn and has no text.
    """
    first: float | None = None
    stream = client.stream([{"role": "user", "content": question}], **fields)
    async with aclosing(stream) as events:
        async for event in events:
            now = time.perf_counter()
            first = now if first is None else first
            if isinstance(event, Done):
                return latency_per_token(first, now, event.usage.generated_tokens), event
    raise BideError("a stream had no last event")


async def all_of(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Their results in order; the first failure cancels the rest and is raised itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
