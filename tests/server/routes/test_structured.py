"""Answers that a grammar binds: the answer's call alone has it, and what is wrong is named."""

import json
from typing import Any

import pytest

from decoding.types import Grammar
from tests.server.serving import saying, served

THOUGHT = "r r\nSo it's 2.\n</think>"
SCHEMA: Any = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "count", "schema": SCHEMA}}
ANSWER = '\n{"n": 3}<|end|>'


@pytest.mark.parametrize(
    ("asked", "grammar"),
    [
        ({"response_format": FORMAT}, Grammar("json", json.dumps(SCHEMA))),
        (
            {"response_format": {"type": "json_object"}},
            Grammar("json", '{"type": "object"}'),
        ),
        ({"structured_outputs": {"json": SCHEMA}}, Grammar("json", json.dumps(SCHEMA))),
        ({"structured_outputs": {"regex": r"\d+"}}, Grammar("regex", r"\d+")),
        ({"structured_outputs": {"choice": ["a", "b"]}}, Grammar("choice", '["a", "b"]')),
        ({"structured_outputs": {"grammar": 'root ::= "a"'}}, Grammar("grammar", 'root ::= "a"')),
        ({"response_format": {"type": "text"}}, None),
    ],
)
async def test_the_answer_is_bound_and_no_thought(asked: Any, grammar: Grammar | None) -> None:
    engine = saying("hm</think>", " well\n</think>", ANSWER)
    async with served(engine) as server:
        body = (await server.chat(thinking={"waits": 1}, **asked)).json()
    assert body["choices"][0]["message"]["content"] == '{"n": 3}'
    assert [call.sampling.grammar for call in engine.calls] == [None, None, grammar]


async def test_probes_are_not_bound() -> None:
    engine = saying("abcd", "3<|end|>", "ef\n</think>", ANSWER)
    async with served(engine) as server:
        response = await server.chat(
            response_format=FORMAT,
            thinking={"type": "adaptive", "probe_every": 4, "confidence": 0.75},
        )
    assert response.status_code == 200
    bound = [call.sampling.grammar is not None for call in engine.calls]
    assert bound == [False] * (len(bound) - 1) + [True]


async def test_nothing_stands_before_a_bound_answer() -> None:
    engine = saying("one two three four", ANSWER)
    async with served(engine, think_start="<think>", think_end="</think>") as server:
        body = (await server.chat(response_format=FORMAT, thinking={"budget_tokens": 8})).json()
        refused = await server.chat(
            response_format=FORMAT, thinking={"budget_tokens": 8, "answer_prefix": "So: "}
        )
    choice = body["choices"][0]
    assert choice["thinking"]["end"] == "budget"
    assert json.loads(choice["message"]["content"]) == {"n": 3}
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "thinking.answer_prefix"


async def test_a_cut_answer_is_cut_json() -> None:
    async with served(saying("</think>", '{"n": 3}<|end|>')) as server:
        body = (await server.chat(response_format=FORMAT, max_tokens=8)).json()
    choice = body["choices"][0]
    assert choice["finish_reason"] == "length"
    with pytest.raises(ValueError):
        json.loads(choice["message"]["content"])


async def test_all_of_a_choice_is_the_answer_that_is_voted_on() -> None:
    calls = ("</think>", "yes<|end|>", "</think>", "no<|end|>", "</think>", "no<|end|>")
    vote = {"n": 3, "stop": "never", "max_concurrency": 1}
    async with served(saying(*calls)) as server:
        body = (await server.chat(structured_outputs={"choice": ["yes", "no"]}, vote=vote)).json()
    assert body["choices"][0]["vote"]["counts"] == {"no": 2, "yes": 1}


async def test_votes_compare_json_by_content() -> None:
    calls = ("</think>", '{"n": 3}<|end|>', "</think>", '{"n":3.0}<|end|>')
    async with served(saying(*calls)) as server:
        body = (
            await server.chat(
                response_format=FORMAT, vote={"n": 2, "stop": "never", "max_concurrency": 1}
            )
        ).json()
    assert body["choices"][0]["vote"]["counts"] == {'{"n": 3}': 2}


TOOL: Any = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"response_format": {"type": "xml"}}, "response_format", "text, json_object, json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
            "required",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"type": "objet"}},
                }
            },
            "response_format.json_schema.schema",
            "Unsupported type",
        ),
        (
            {"structured_outputs": {"json": {"enum": ["x" * 70_000]}}},
            "structured_outputs.json",
            "65,536 at most",
        ),
        ({"structured_outputs": {}}, "structured_outputs", "exactly one"),
        ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs", "one of"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs.choice", "at least 1"),
        (
            {"structured_outputs": {"regex": "a"}, "response_format": FORMAT},
            "structured_outputs",
            "response_format binds",
        ),
        (
            {"response_format": FORMAT, "tools": [TOOL], "tool_choice": "required"},
            "tool_choice",
            "response_format binds",
        ),
        ({"response_format": FORMAT, "tools": [TOOL]}, "response_format", "no tool could be"),
        ({"guided_json": SCHEMA}, "guided_json", "unknown field"),
    ],
)
async def test_what_is_wrong_is_named(body: dict[str, Any], param: str, says: str) -> None:
    engine = saying()
    async with served(engine) as server:
        response = await server.chat(**body)
    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]
    assert not engine.calls
