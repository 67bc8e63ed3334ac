"""The figures of a load on known numbers, and its rounds on a server that counts."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from clients.client import AsyncBide, BideError
from clients.load import (
    Latencies,
    LatencyRound,
    Load,
    Rate,
    Spread,
    ThroughputRound,
    all_of,
    latency_per_token,
    latency_round,
    percentile,
    throughput_round,
)
from clients.questions import questions

LOAD = Load(
    requests=6,
    slots=2,
    rounds=1,
    waits=2,
    cap=40,
    answer_tokens=10,
    temperature=0.0,
    eos_ids=(0, 7),
    seed=0,
)


def test_percentiles_lie_between_the_nearest_values() -> None:
    hundred = [float(n) for n in range(100, 0, -1)]
    assert percentile(hundred, 0.5) == 50.5
    assert percentile(hundred, 0.99) == pytest.approx(99.01)
    assert (percentile(hundred, 0.0), percentile(hundred, 1.0)) == (1.0, 100.0)
    assert percentile([3.0], 0.99) == 3.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_spread_is_of_all_rounds() -> None:
    assert Spread.of([0.9, 0.7, 0.95]) == Spread(0.9, 0.7, 0.95)


def test_ratios_set_the_forced_against_the_other() -> None:
    assert ThroughputRound(Rate(900, 2.0), Rate(1000, 2.0), 2.0).ratio == pytest.approx(0.9)
    forced, unforced = Latencies(0.01, 0.03, 4), Latencies(0.01, 0.02, 4)
    assert LatencyRound(forced, unforced, 0).ratio == pytest.approx(1.5)


def test_latency_is_between_tokens() -> None:
    assert latency_per_token(10.0, 12.0, 5) == 0.5
    assert latency_per_token(10.0, 10.0, 1) is None


def test_questions_are_the_same_for_a_seed_alone() -> None:
    assert questions(40, "a") == questions(40, "a") != questions(40, "b")
    assert len(set(questions(40, "a"))) > 35


async def test_the_first_failure_cancels_the_rest() -> None:
    stopped = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise BideError("no")

    with pytest.raises(BideError, match=r"^no$"):
        await all_of([hang(), fail()])
    assert stopped.is_set()


class Server:
    """Thinks 20 tokens over two waits, and runs a plain request to its limit."""

    def __init__(self, plain_ends_early: bool = False) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._early = plain_ends_early

    def client(self) -> AsyncBide:
        return AsyncBide("http://bide", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        wanted = body.get("thinking", {})
        plain = wanted.get("type") == "disabled"
        length = body["max_tokens"] - self._early if plain else 20 + len(self.bodies)
        usage = {
            "prompt_tokens": 5,
            "completion_tokens": length,
            "completion_tokens_details": {
                "reasoning_tokens": 0 if plain else 20,
                "injected_tokens": 0 if plain else 4,
                "discarded_tokens": 0 if plain else 2,
            },
        }
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "thinking": {
                "tokens": 20,
                "waits": wanted.get("waits", 0),
                "end": "natural" if wanted else "budget",
                "budget_tokens": None,
                "injected": [],
            },
        }
        if "stream" not in body:
            message = {"role": "assistant", "content": "3"}
            return httpx.Response(
                200, json={"choices": [{**choice, "message": message}], "usage": usage}
            )
        chunks = [
            {"choices": [{"index": 0, "delta": {"reasoning": "r"}, "finish_reason": None}]},
            {"choices": [{**choice, "delta": {}}]},
            {"choices": [], "usage": usage},
        ]
        events = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks)
        return httpx.Response(200, text=events + "data: [DONE]\n\n")


async def test_plain_requests_are_as_long_as_the_forced_ones() -> None:
    server, ticks = Server(), []
    async with server.client() as client:
        measured = await throughput_round(client, LOAD, "1", lambda: ticks.append(1))
    forced, plain = server.bodies[:6], server.bodies[6:]
    assert all(b["thinking"] == {"waits": 2, "budget_tokens": 40} for b in forced)
    assert all(b["max_tokens"] == 50 and b["logit_bias"] == {"0": 0.0, "7": 0.0} for b in forced)
    assert all(b["thinking"] == {"type": "disabled"} for b in plain)
    assert all(b["logit_bias"] == {"0": -100.0, "7": -100.0} for b in plain)
    assert [b["messages"] for b in plain] == [b["messages"] for b in forced]
    assert sorted(b["max_tokens"] for b in plain) == [21, 22, 23, 24, 25, 26]
    assert measured.plain.tokens == sum(range(21, 27))
    assert measured.forced.tokens == measured.plain.tokens - 6 * 2
    assert (measured.waits, len(ticks)) == (2.0, 12)


async def test_a_plain_request_that_ends_early_is_told() -> None:
    async with Server(plain_ends_early=True).client() as client:
        with pytest.raises(BideError, match="--eos-id"):
            await throughput_round(client, LOAD, "1", lambda: None)


async def test_every_second_request_of_a_latency_round_is_forced() -> None:
    server = Server()
    async with server.client() as client:
        measured = await latency_round(client, LOAD, "1", lambda: None)
    assert len(server.bodies) == 8
    assert sum("thinking" in body for body in server.bodies) == 4
    assert (measured.forced.requests, measured.unforced.requests) == (4, 4)
    assert measured.cut == 4
    assert 0 < measured.forced.p50 <= measured.forced.p99
