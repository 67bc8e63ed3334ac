"""Budgets over HTTP, with the official client, on the shipped checkpoint."""

import asyncio
import random
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from tests.real.conftest import RealServer
from training.world.families import exam

pytestmark = pytest.mark.real

PROBLEMS = list(exam(200, split="dev"))
LONG = [p.question for p in PROBLEMS if p.family in ("sums", "stories") and p.level >= 5]


def ask(server: RealServer, question: str, **body: Any) -> Any:
    return server.openai.chat.completions.create(
        model=server.model.name,
        messages=[{"role": "user", "content": question}],
        temperature=0,
        extra_body=body,
    )


@pytest.mark.parametrize("cap", [1, 7, 16, 30])
def test_a_cut_thought_is_exactly_as_long_as_its_cap(server: RealServer, cap: int) -> None:
    for question in LONG[:4]:
        reply = ask(server, question, thinking={"budget_tokens": cap})
        thinking = reply.choices[0].thinking
        assert (thinking["tokens"], thinking["end"]) == (cap, "budget")
        assert reply.usage.completion_tokens_details.reasoning_tokens == cap
        assert reply.choices[0].message.content.startswith("The answer is ")


@pytest.mark.parametrize("waits", [0, 1, 2, 3])
def test_waits_are_as_many_as_asked_for(server: RealServer, waits: int) -> None:
    for problem in PROBLEMS[:5]:
        thinking = ask(server, problem.question, thinking={"waits": waits}).choices[0].thinking
        assert thinking["end"] == "natural"
        assert [each["text"] for each in thinking["injected"]] == ["Wait"] * waits
        assert thinking["waits"] == waits


def test_no_budget_answers_at_once(server: RealServer) -> None:
    reply = ask(server, PROBLEMS[0].question, thinking={"budget_tokens": 0})
    message: Any = reply.choices[0].message
    assert message.reasoning is None
    assert message.content.startswith("The answer is ")
    assert reply.choices[0].thinking["tokens"] == 0


def test_a_stream_says_what_the_whole_reply_says(server: RealServer) -> None:
    body = {"thinking": {"waits": 1, "budget_tokens": 300}}
    whole = ask(server, LONG[0], **body)
    stream = server.openai.chat.completions.create(
        model=server.model.name,
        messages=[{"role": "user", "content": LONG[0]}],
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
        extra_body=body,
    )
    chunks: list[Any] = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    reasoning = "".join(getattr(delta, "reasoning", None) or "" for delta in deltas)
    content = "".join(delta.content or "" for delta in deltas)
    message = whole.choices[0].message
    assert (reasoning, content) == (message.reasoning, message.content)
    assert chunks[-2].choices[0].thinking == whole.choices[0].thinking
    assert chunks[-1].usage == whole.usage


def mixed_bodies(count: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(0)
    for i in range(count):
        thinking: dict[str, Any] = rng.choice(
            [
                {},
                {"budget_tokens": rng.choice([0, 5, 16, 64, 200])},
                {"waits": rng.randint(1, 3)},
                {"waits": 2, "budget_tokens": rng.choice([40, 120])},
                {"min_tokens": 60, "wait": ["Wait", "Hmm"]},
                {"budget_tokens": 24, "end_text": " So", "answer_prefix": "The answer is"},
                {"type": "disabled"},
            ]
        )
        yield {"temperature": rng.choice([0, 1]), "seed": i, "extra_body": {"thinking": thinking}}


def generated_by_engine(server: RealServer) -> float:
    """vLLM's own count of the tokens it has generated."""
    with urllib.request.urlopen(f"{server.url}/metrics") as response:
        text = response.read().decode()
    counts = re.findall(r"^vllm:generation_tokens_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, counts))


async def test_every_token_of_200_requests_at_once_is_accounted_for(server: RealServer) -> None:
    before = generated_by_engine(server)
    async with server.async_openai as client:

        async def one(problem: Any, body: dict[str, Any]) -> tuple[dict[str, Any], ChatCompletion]:
            messages: Any = [{"role": "user", "content": problem.question}]
            create = client.chat.completions.create
            return body, await create(model=server.model.name, messages=messages, **body)

        replies = await asyncio.gather(*map(one, PROBLEMS, mixed_bodies(len(PROBLEMS))))
    generated = 0
    for body, reply in replies:
        usage: Any = reply.usage
        details = usage.completion_tokens_details
        thinking: Any = reply.choices[0].model_dump()["thinking"]
        asked = body["extra_body"]["thinking"]
        assert details.reasoning_tokens == thinking["tokens"]
        if "budget_tokens" in asked:
            assert thinking["tokens"] <= asked["budget_tokens"]
            cut = thinking["end"] == "budget"
            assert not cut or thinking["tokens"] == asked["budget_tokens"]
        elif "waits" in asked and thinking["end"] == "natural":
            assert thinking["waits"] == asked["waits"]
        generated += usage.completion_tokens - details.injected_tokens + details.discarded_tokens
    assert generated_by_engine(server) - before == generated
    assert server.state.admission.running == server.state.admission.waiting == 0
