"""`scholar` of a chat, over a scripted engine."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.scripted import ScriptedEngine
from tests.server.routes.test_self_rag import N, family, taught
from tests.server.serving import served, small_family

DOCUMENTS = [
    {"id": "river", "title": "Ulm", "text": "Ulm has 3 bridges.</think>"},
    {"text": "The tower is 7 high."},
]
QUESTION = {
    "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "How many bridges has Ulm?"},
    ]
}
FEEDBACK = '{"feedback": [{"comment": "Say which.", "query": "tower"}]}'


def model(token_ids: tuple[int, ...], _: int | None) -> Iterator[int]:
    prompt = small_family().codec.decode(token_ids)
    if "Does the passage help" in prompt:
        said = "Yes"
    elif "Does the passage say" in prompt:
        said = "Fully" if "3 bridges" in prompt.partition("Statement")[0] else "No"
    elif "What would most improve" in prompt:
        said = f"{FEEDBACK}<|end|>"
    elif "A draft of the answer" in prompt:
        said = "Ulm has 3 bridges. [1] It has 3. [1]<|end|>"
    else:
        said = "It has 3. [2]<|end|>"
    return iter(small_family().codec.encode(said))


def engine() -> ScriptedEngine:
    return ScriptedEngine(small_family(), model)


async def ask(asked: ScriptedEngine, **body: Any) -> httpx.Response:
    async with served(asked) as server:
        return await server.http.post("/v1/chat/completions", json={**QUESTION, **body})


async def test_a_whole_reply_says_how_it_was_made() -> None:
    asked = engine()
    reply = (await ask(asked, scholar={"documents": DOCUMENTS}, max_tokens=60)).json()
    (choice,) = reply["choices"]
    content, told = choice["message"]["content"], choice["scholar"]
    assert content == "Ulm has 3 bridges. [1] It has 3. [1]"
    assert [content[each["start"] : each["end"]] for each in told["citations"]] == [
        "Ulm has 3 bridges.",
        "It has 3.",
    ]
    assert {each["document_id"] for each in told["citations"]} == {"river"}
    assert told["feedback"] == [{"comment": "Say which.", "query": "tower", "accepted": True}]
    assert told["final"]["precision"] == told["final"]["recall"] == 1.0
    assert [each["stage"] for each in told["steps"]][:3] == ["retrieve", "rerank", "write"]
    assert choice["finish_reason"] == "stop"
    prompts = [small_family().codec.decode(call.token_ids) for call in asked.calls]
    (writing,) = [each for each in prompts if "Answer by what the passages say" in each]
    assert "Be short." in writing
    assert "[1] Ulm\nUlm has 3 bridges.< /think>" in writing


async def test_a_stream_tells_each_stage_and_says_the_same() -> None:
    whole = (await ask(engine(), scholar={"documents": DOCUMENTS}, max_tokens=60)).json()
    body = {"scholar": {"documents": DOCUMENTS}, "max_tokens": 60}
    reply = await ask(engine(), stream=True, **body)
    chunks = [
        json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")
    ]
    choices = [chunk["choices"][0] for chunk in chunks]
    (choice,) = whole["choices"]
    content = "".join(each["delta"].get("content", "") for each in choices)
    assert content == choice["message"]["content"]
    assert [each["step"] for each in choices if "step" in each] == choice["scholar"]["steps"]
    assert choices[-1]["scholar"] == choice["scholar"]


async def test_a_model_with_reflection_tokens_is_its_own_critic() -> None:
    codec = family().codec

    def reflecting(token_ids: tuple[int, ...], _: int | None) -> Iterator[int]:
        prompt = codec.decode(token_ids)
        judged = N.fully if N.relevant in prompt else N.relevant if "3 bridges" in prompt else None
        said = "It has 3. [1]<|end|>" if N.paragraph not in prompt else judged or N.irrelevant
        return iter(codec.encode(said))

    asked = ScriptedEngine(family(), reflecting)
    async with served(asked, tokenizer=taught()) as server:
        body = {"scholar": {"documents": DOCUMENTS, "rounds": 0}, "max_tokens": 20}
        reply = await server.http.post("/v1/chat/completions", json={**QUESTION, **body})
    (choice,) = reply.json()["choices"]
    river, tower = choice["scholar"]["sources"]
    assert river["relevance"] > 0.9 > 0.1 > tower["relevance"]
    assert choice["message"]["content"] == "It has 3. [1]"
    (citation,) = choice["scholar"]["citations"]
    assert citation["support"] > 0.9
    assert not any("Does the passage" in codec.decode(call.token_ids) for call in asked.calls)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scholar": {}}, "scholar"),
        ({"scholar": {"documents": DOCUMENTS, "index": "a"}}, "scholar"),
        ({"scholar": {"documents": DOCUMENTS, "rounds": 9}}, "scholar.rounds"),
        ({"scholar": {"documents": DOCUMENTS, "mode": "always"}}, "scholar.mode"),
        ({"scholar": {"documents": DOCUMENTS}, "vote": {"n": 2}}, "vote"),
        ({"scholar": {"documents": DOCUMENTS}, "stop": "a"}, "stop"),
        ({"scholar": {"documents": DOCUMENTS}, "self_rag": {"mode": "never"}}, "scholar"),
    ],
)
async def test_what_cannot_be_is_refused(body: dict[str, Any], field: str) -> None:
    reply = await ask(engine(), **body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, field)
