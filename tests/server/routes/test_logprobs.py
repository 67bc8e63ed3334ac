"""Log-probabilities of the answer's tokens, whole and streamed, and of none that nobody drew."""

from typing import Any

import pytest

from tests.server.routes.test_chat import parts_of
from tests.server.serving import saying, served

CALLS = ("r r\n</think>", "\nIt is 3.<|end|>")


def told_in(chunks: list[Any]) -> list[Any]:
    found = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"]]
    return [each for logprobs in found if logprobs for each in logprobs["content"]]


async def test_each_token_of_the_answer_has_its_own() -> None:
    engine = saying(*CALLS)
    async with served(engine) as server:
        body = (await server.chat(logprobs=True, top_logprobs=2)).json()
    choice = body["choices"][0]
    content = choice["logprobs"]["content"]
    assert choice["message"]["content"] == "It is 3."
    assert b"".join(bytes(each["bytes"]) for each in content) == b"It is 3."
    assert all(len(each["top_logprobs"]) == 2 for each in content)
    assert {each["logprob"] for each in content} == {-1.0}
    assert [call.sampling.logprobs for call in engine.calls] == [None, 2]


async def test_a_stream_tells_the_same_beside_its_deltas() -> None:
    async with served(saying(*CALLS)) as one, served(saying(*CALLS)) as other:
        whole = (await one.chat(logprobs=True)).json()["choices"][0]["logprobs"]["content"]
        streamed = told_in(parts_of(await other.chat(logprobs=True, stream=True)))
    assert streamed == whole
    assert all(each["top_logprobs"] == [] for each in whole)


async def test_an_injected_prefix_has_none() -> None:
    calls = ("one two three four", "3.<|end|>")
    thinking = {"budget_tokens": 8, "answer_prefix": "It is "}
    async with served(saying(*calls)) as server:
        body = (await server.chat(logprobs=True, thinking=thinking)).json()
    choice = body["choices"][0]
    assert choice["message"]["content"] == "It is 3."
    assert [each["token"] for each in choice["logprobs"]["content"]] == ["3", "."]


@pytest.mark.parametrize("asked", [{}, {"logprobs": False}, {"logprobs": None}])
async def test_nobody_is_told_who_has_not_asked(asked: dict[str, Any]) -> None:
    engine = saying(*CALLS)
    async with served(engine) as server:
        body = (await server.chat(**asked)).json()
    assert body["choices"][0]["logprobs"] is None
    assert engine.calls[-1].sampling.logprobs is None


async def test_a_vote_tells_those_of_its_winner() -> None:
    calls = ("</think>", "It is 3.<|end|>", "</think>", "It is 4.<|end|>", "</think>", "4<|end|>")
    vote = {"n": 3, "stop": "never", "max_concurrency": 1}
    async with served(saying(*calls)) as server:
        body = (await server.chat(logprobs=True, vote=vote)).json()
    choice = body["choices"][0]
    said = "".join(each["token"] for each in choice["logprobs"]["content"])
    assert said == choice["message"]["content"] == "It is 4."
