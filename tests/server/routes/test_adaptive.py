"""Adaptive thinking through the API, over a model that is sure of its answer from the start."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

from tests.scripted import ScriptedEngine
from tests.server.serving import saying, served, small_family

QUESTION: Any = [{"role": "user", "content": "How many r in raspberry?"}]


def sure() -> ScriptedEngine:
    """Never ends its thought; asked for an answer, always says 3."""
    codec = small_family().codec
    thought, answer = codec.encode("r ,"), codec.encode("The answer is 3.<|end|>")

    def model(token_ids: tuple[int, ...], seed: int | None) -> Iterator[int]:
        *_, turn = codec.decode(token_ids).rpartition("<think>")
        return iter(answer) if "</think>" in turn else cycle(thought)

    return ScriptedEngine(small_family(), model)


async def test_a_thought_ends_when_its_answer_is_certain() -> None:
    async with served(sure()) as server:
        thinking = {"type": "adaptive", "confidence": 0.75, "probe_every": 8}
        body = (await server.chat(thinking=thinking, temperature=0)).json()
        metrics = (await server.http.get("/metrics")).text
    choice, details = body["choices"][0], body["usage"]["completion_tokens_details"]
    assert choice["message"]["content"] == "The answer is 3."
    told = choice["thinking"]
    assert (told["tokens"], told["waits"], told["end"]) == (24, 0, "certain")
    assert [(probe["position"], probe["answer"]) for probe in told["probes"]] == [
        (8, "3"), (16, "3"), (24, "3")
    ]  # fmt: skip
    probe_tokens = sum(probe["tokens"] for probe in told["probes"])
    assert details["reasoning_tokens"] == 24
    assert details["discarded_tokens"] == probe_tokens > 0
    generated = sum(len(call.produced) for call in server.engine.calls)
    completion = body["usage"]["completion_tokens"]
    assert completion == generated - probe_tokens + details["injected_tokens"]
    assert 'bide_thinking_ends_total{end="certain"} 1.0' in metrics
    assert "bide_probes_total 3.0" in metrics
    assert f"bide_probe_tokens_total {probe_tokens}.0" in metrics
    assert server.state.admission.running == 0


async def test_a_stream_says_the_same_and_nothing_of_the_probes() -> None:
    thinking = {"thinking": {"type": "adaptive", "confidence": 0.5, "probe_every": 8}}
    async with served(sure()) as server:
        create = server.openai.chat.completions.create
        asked: Any = {"model": "small", "messages": QUESTION, "extra_body": thinking}
        whole: Any = await create(**asked)
        stream = await create(**asked, stream=True, stream_options={"include_usage": True})
        chunks: list[Any] = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    message = whole.choices[0].message
    assert "".join(getattr(d, "reasoning", None) or "" for d in deltas) == message.reasoning
    assert "".join(d.content or "" for d in deltas) == message.content == "The answer is 3."
    assert chunks[-2].choices[0].thinking == whole.choices[0].thinking
    assert chunks[-1].usage == whole.usage


async def test_anthropics_form_has_defaults() -> None:
    async with served(sure()) as server:
        body = (await server.chat(thinking={"type": "adaptive"})).json()
    thinking = body["choices"][0]["thinking"]
    assert (thinking["tokens"], len(thinking["probes"])) == (5 * 64, 5)


@pytest.mark.parametrize(
    ("thinking", "param", "says"),
    [
        ({"confidence": 0.9}, "thinking.confidence", "adaptive"),
        ({"type": "enabled", "probe_every": 8}, "thinking.probe_every", "adaptive"),
        ({"type": "disabled", "confidence": 0.9}, "thinking.confidence", "thinking is off"),
        ({"type": "adaptive", "confidence": 1}, "thinking.confidence", "less than 1"),
        ({"type": "adaptive", "confidence": 0}, "thinking.confidence", "greater than 0"),
        ({"type": "adaptive", "probe_every": 0}, "thinking.probe_every", "greater than or equal"),
    ],
)
async def test_what_is_wrong_is_named(thinking: dict[str, Any], param: str, says: str) -> None:
    async with served(saying()) as server:
        response = await server.chat(thinking=thinking)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, param)
    assert says in error["message"]


async def test_a_model_that_does_not_think_cannot_adapt() -> None:
    async with served(saying(), markers="none") as server:
        response = await server.chat(thinking={"type": "adaptive"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "thinking.type")
