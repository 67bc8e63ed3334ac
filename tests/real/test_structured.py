"""Bound answers, tools and log-probabilities on the shipped checkpoint, by the official client."""

import asyncio
import json
import math
from typing import Any

import pytest
from openai import BadRequestError

from tests.real.conftest import RealServer

pytestmark = pytest.mark.real

QUESTION: Any = [{"role": "user", "content": "How many r in raspberry?"}]
SCHEMA: Any = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "minimum": 0, "maximum": 99},
        "letters": {"type": "array", "items": {"enum": ["r", "s", "p"]}, "maxItems": 3},
        "sure": {"type": "boolean"},
    },
    "required": ["count", "letters", "sure"],
    "additionalProperties": False,
}
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "count", "schema": SCHEMA}}
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {field: {"enum": ["raspberry", "plum"]}},
                "required": [field],
                "additionalProperties": False,
            },
        },
    }
    for name, field in (("spell", "word"), ("weigh", "fruit"))
]


async def test_json_is_valid_after_a_thought_however_it_ends(server: RealServer) -> None:
    async with server.async_openai as client:
        replies = await asyncio.gather(
            *(
                client.chat.completions.create(
                    model=server.model.name,
                    messages=QUESTION,
                    temperature=1,
                    seed=seed,
                    response_format=FORMAT,
                    extra_body={"thinking": {"budget_tokens": 8 if seed % 2 else 256, "waits": 1}},
                )
                for seed in range(20)
            )
        )
    ends = set()
    for reply in replies:
        choice: Any = reply.choices[0]
        assert choice.finish_reason == "stop"
        found = json.loads(choice.message.content)
        assert found.keys() == {"count", "letters", "sure"}
        assert type(found["count"]) is int
        assert 0 <= found["count"] <= 99
        assert len(found["letters"]) <= 3
        assert set(found["letters"]) <= {"r", "s", "p"}
        assert isinstance(found["sure"], bool)
        assert choice.thinking["tokens"] > 0
        ends.add(choice.thinking["end"])
    assert ends == {"natural", "budget"}


@pytest.mark.parametrize(
    "bound",
    [{"regex": r"[a-c]{3}"}, {"choice": ["yes", "no"]}, {"grammar": 'root ::= "a" | "b" root'}],
)
def test_other_grammars(server: RealServer, bound: Any) -> None:
    reply = server.openai.chat.completions.create(
        model=server.model.name,
        messages=QUESTION,
        max_tokens=200,
        extra_body={"structured_outputs": bound, "thinking": {"budget_tokens": 16}},
    )
    content = reply.choices[0].message.content or ""
    allowed = {"regex": set("abc"), "choice": set("yesno"), "grammar": set("ab")}
    assert content
    assert set(content) <= allowed[next(iter(bound))]


def test_a_vote_over_json(server: RealServer) -> None:
    reply: Any = server.openai.chat.completions.create(
        model=server.model.name,
        messages=QUESTION,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "sure", "schema": {"enum": [{"sure": True}, {"sure": False}]}},
        },
        extra_body={"vote": {"n": 5, "stop": "never"}, "thinking": {"budget_tokens": 16}},
    )
    vote = reply.choices[0].vote
    assert vote["abstained"] == 0
    assert sum(vote["counts"].values()) == 5
    assert len(vote["counts"]) <= 2


def test_a_named_tool(server: RealServer) -> None:
    reply = server.openai.chat.completions.create(
        model=server.model.name,
        messages=QUESTION,
        tools=TOOLS,
        tool_choice={"type": "function", "function": {"name": "weigh"}},
        extra_body={"thinking": {"budget_tokens": 32}},
    )
    (call,) = reply.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "weigh"
    assert json.loads(call.function.arguments)["fruit"] in ("raspberry", "plum")
    assert reply.choices[0].finish_reason == "tool_calls"


def test_required_tools_streamed(server: RealServer) -> None:
    stream = server.openai.chat.completions.create(
        model=server.model.name,
        messages=QUESTION,
        tools=TOOLS,
        tool_choice="required",
        parallel_tool_calls=False,
        stream=True,
        extra_body={"thinking": {"budget_tokens": 32}},
    )
    names, arguments, finish = [], "", None
    for chunk in stream:
        (choice,) = chunk.choices
        assert not choice.delta.content
        finish = choice.finish_reason or finish
        for piece in choice.delta.tool_calls or []:
            assert piece.function is not None
            names += [piece.function.name] if piece.function.name else []
            arguments += piece.function.arguments or ""
    (name,) = names
    assert list(json.loads(arguments)) == [{"spell": "word", "weigh": "fruit"}[name]]
    assert finish == "tool_calls"


def test_a_tool_that_may_be_called(server: RealServer) -> None:
    """The model has never seen one: it is enough that it answers."""
    reply = server.openai.chat.completions.create(
        model=server.model.name, messages=QUESTION, tools=TOOLS, max_tokens=300
    )
    assert reply.choices[0].finish_reason in ("stop", "length", "tool_calls")


@pytest.mark.parametrize("temperature", [0, 1])
def test_log_probabilities_of_the_answer(server: RealServer, temperature: int) -> None:
    reply = server.openai.chat.completions.create(
        model=server.model.name,
        messages=QUESTION,
        temperature=temperature,
        seed=3,
        logprobs=True,
        top_logprobs=20,
    )
    (choice,) = reply.choices
    assert choice.logprobs is not None
    content = choice.logprobs.content or []
    said = b"".join(bytes(each.bytes or []) for each in content)
    assert said.decode() == choice.message.content
    for each in content:
        top = [other.logprob for other in each.top_logprobs]
        assert len(top) == 20
        assert top == sorted(top, reverse=True)
        assert each.logprob <= 0
        assert sum(map(math.exp, top)) <= 1.001
        if temperature == 0:
            assert each.token == each.top_logprobs[0].token


def test_few_log_probabilities_beside_a_confident_vote(server: RealServer) -> None:
    reply: Any = server.openai.chat.completions.create(
        model=server.model.name,
        messages=QUESTION,
        logprobs=True,
        top_logprobs=2,
        extra_body={"vote": {"n": 3, "weight": "confidence"}},
    )
    content = reply.choices[0].logprobs.content
    assert {len(each.top_logprobs) for each in content} == {2}
    assert all(weight > 0 for weight in reply.choices[0].vote["weights"].values())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"type": "objet"}},
                }
            },
            "response_format.json_schema.schema",
        ),
        ({"structured_outputs": {"json": {"$ref": "#/nowhere"}}}, "structured_outputs.json"),
        (
            {"structured_outputs": {"json": {"type": "array", "uniqueItems": True}}},
            "structured_outputs.json",
        ),
        ({"structured_outputs": {"regex": "("}}, "structured_outputs.regex"),
        ({"structured_outputs": {"regex": "a\x00"}}, "structured_outputs.regex"),
        ({"structured_outputs": {"grammar": "root ::= nobody"}}, "structured_outputs.grammar"),
    ],
)
def test_a_bad_grammar_is_refused_and_the_server_serves_on(
    server: RealServer, body: Any, param: str
) -> None:
    create = server.openai.chat.completions.create
    with pytest.raises(BadRequestError) as raised:
        create(model=server.model.name, messages=QUESTION, extra_body=body)
    assert raised.value.param == param
    assert "/project/" not in raised.value.message
    assert create(model=server.model.name, messages=QUESTION, max_tokens=200).choices


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [nested(25), {"type": "string", "maxLength": 10_000_000}, {"anyOf": [nested(5)] * 100}],
)
def test_a_large_grammar_neither_kills_nor_hangs_the_engine(
    server: RealServer, schema: Any
) -> None:
    create = server.openai.chat.completions.create
    reply = create(
        model=server.model.name,
        messages=QUESTION,
        max_tokens=40,
        timeout=60,
        extra_body={"structured_outputs": {"json": schema}, "enable_thinking": False},
    )
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert create(model=server.model.name, messages=QUESTION, max_tokens=200).choices
