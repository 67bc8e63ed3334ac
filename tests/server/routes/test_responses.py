"""Responses with the official client, over a scripted engine."""

import json
from typing import Any

import pytest
from openai import BadRequestError

from decoding.types import Grammar
from tests.scripted import ScriptedEngine, hashed
from tests.server.routes.test_chat import DyingEngine
from tests.server.serving import saying, served, small_family

QUESTION = "How many r in raspberry?"
THOUGHT = "r r\nSo it's 2.\n</think>"
ANSWER = "\nThe answer is 3.<|end|>"


async def test_a_response_is_a_thought_and_a_message() -> None:
    async with served(saying(THOUGHT, ANSWER)) as server:
        reply: Any = await server.openai.responses.create(
            model="small", input=QUESTION, max_output_tokens=300, metadata={"a": "b"}
        )
    thought, message = reply.output
    assert (thought.type, message.type) == ("reasoning", "message")
    assert thought.content[0].text == "r r\nSo it's 2.\n"
    assert reply.output_text == "The answer is 3."
    assert (reply.status, reply.error, reply.incomplete_details) == ("completed", None, None)
    assert reply.usage.output_tokens_details.reasoning_tokens == reply.thinking["tokens"]
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    assert (reply.max_output_tokens, reply.metadata) == (300, {"a": "b"})


async def test_a_stream_tells_the_same_in_events() -> None:
    engine = saying(THOUGHT, ANSWER)
    async with served(engine) as server:
        stream: Any = await server.openai.responses.create(
            model="small", input=QUESTION, stream=True
        )
        events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    names = [event.type for event in events if not event.type.endswith(".delta")]
    item = ["response.output_item.added", "response.content_part.added"]
    end = ["response.content_part.done", "response.output_item.done"]
    assert names == [
        "response.created",
        "response.in_progress",
        *[*item, "response.reasoning_text.done", *end],
        *[*item, "response.output_text.done", *end],
        "response.completed",
    ]
    thought, message = events[-1].response.output
    for kind, text in (("reasoning", thought), ("output", message)):
        deltas = [e.delta for e in events if e.type == f"response.{kind}_text.delta"]
        assert "".join(deltas) == text.content[0].text
    assert events[-1].response.usage.output_tokens > 0


async def test_the_clients_own_accumulation() -> None:
    async with (
        served(saying(THOUGHT, ANSWER)) as server,
        server.openai.responses.stream(model="small", input=QUESTION) as stream,
    ):
        reply = await stream.get_final_response()
    assert reply.output_text == "The answer is 3."


async def test_lines_name_their_events() -> None:
    async with served(saying(THOUGHT, ANSWER)) as server:
        body = {"input": QUESTION, "stream": True}
        text = (await server.http.post("/v1/responses", json=body)).text
    assert text.startswith('event: response.created\ndata: {"type":"response.created"')
    assert "[DONE]" not in text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_that_is_cut_says_so(stream: bool) -> None:
    family = small_family()
    engine = ScriptedEngine(family, hashed(family.codec.encode("ab")))
    async with served(engine) as server:
        reply: Any = await server.openai.responses.create(
            model="small", input=QUESTION, max_output_tokens=40, stream=stream
        )
        if stream:
            events = [event async for event in reply]
            assert events[-1].type == "response.incomplete"
            reply = events[-1].response
    assert reply.status == "incomplete"
    assert reply.incomplete_details.reason == "max_output_tokens"
    assert [item.status for item in reply.output] == ["completed", "incomplete"]
    assert reply.usage.output_tokens == 40


async def test_an_engine_that_dies_midway_fails_the_response() -> None:
    family = small_family()
    async with served(DyingEngine(family, hashed(family.codec.encode("ab")))) as server:
        stream: Any = await server.openai.responses.create(
            model="small", input=QUESTION, stream=True
        )
        events = [event async for event in stream]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.message == "the engine has stopped"
    assert events[-1].response.output[0].status == "incomplete"


async def test_a_reply_can_be_sent_back_as_it_came() -> None:
    engine = saying(THOUGHT, ANSWER, THOUGHT, ANSWER)
    async with served(engine) as server:
        create = server.openai.responses.create
        reply = await create(model="small", input=QUESTION)
        echoed: Any = [item.model_dump() for item in reply.output]
        question: Any = {"role": "user", "content": [{"type": "input_text", "text": "Sure?"}]}
        asked: Any = [{"role": "user", "content": QUESTION}, *echoed, question]
        await create(model="small", input=asked, instructions="Be brief.")
    prompt = small_family().codec.decode(engine.calls[2].token_ids)
    assert "Be brief." in prompt
    assert "<|assistant|>\nThe answer is 3.<|end|>\n<|user|>\nSure?" in prompt


async def test_excluded_reasoning_is_counted_but_not_shown() -> None:
    async with served(saying(THOUGHT, ANSWER, THOUGHT, ANSWER)) as server:
        body = {"input": QUESTION, "reasoning": {"exclude": True}}
        reply = (await server.http.post("/v1/responses", json=body)).json()
        streamed = await server.http.post("/v1/responses", json={**body, "stream": True})
    assert [item["type"] for item in reply["output"]] == ["message"]
    assert reply["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    assert "reasoning_text" not in streamed.text


async def test_a_vote_is_told_beside_the_response() -> None:
    async with served(saying(*[THOUGHT, ANSWER] * 2)) as server:
        body = {"input": QUESTION, "vote": {"n": 2, "max_concurrency": 1}, "stream": True}
        text = (await server.http.post("/v1/responses", json=body)).text
    assert '"vote":{"answer":"3"' in text


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"max_output_tokens": 5000}, "max_output_tokens", "max_output_tokens: 5000 is more"),
        ({"input": "r" * 9000}, "input", "input: "),
        (
            {"max_output_tokens": 9, "thinking": {"budget_tokens": 9}},
            "thinking.budget_tokens",
            "less than max_output_tokens, 9",
        ),
        (
            {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
            "reasoning.effort",
            "contradict",
        ),
        ({"reasoning": {"summary": "detailed"}}, "reasoning.summary", "'auto'"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "None"),
        ({"background": True}, "background", "should be false"),
        ({"background": 0}, "background", "valid boolean"),
        ({"conversation": "conv_1"}, "conversation", "None"),
        ({"top_logprobs": False}, "top_logprobs", "valid integer"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]", "encrypted_content"),
        ({"truncation": "auto"}, "truncation", "'disabled'"),
        ({"text": {"verbosity": "low"}}, "text.verbosity", "'medium'"),
        ({"input": []}, "input", "at least 1"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]", "one of message"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
            "input[0].content[0]",
            "input_text",
        ),
        ({"stop": "x"}, "stop", "unknown field"),
        ({"n": 2}, "n", "unknown field"),
    ],
)
async def test_what_is_wrong_is_named_as_the_caller_named_it(
    body: dict[str, Any], param: str, says: str
) -> None:
    async with served(saying()) as server:
        response = await server.http.post("/v1/responses", json={"input": QUESTION, **body})
    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]


async def test_the_clients_own_exception() -> None:
    async with served(saying()) as server:
        with pytest.raises(BadRequestError, match="max_output_tokens: 5000"):
            await server.openai.responses.create(
                model="small", input=QUESTION, max_output_tokens=5000
            )


PARAMETERS: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"type": "function", "name": "weather", "parameters": PARAMETERS}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>'


@pytest.mark.parametrize("stream", [False, True])
async def test_a_function_is_called(stream: bool) -> None:
    async with served(saying(THOUGHT, f"I look.\n{CALL}<|end|>")) as server:
        reply: Any = await server.openai.responses.create(
            model="small", input=QUESTION, tools=[WEATHER], stream=stream
        )
        if stream:
            events = [event async for event in reply]
            deltas = [e.delta for e in events if e.type.endswith("arguments.delta")]
            assert json.loads("".join(deltas)) == {"city": "Bern"}
            reply = events[-1].response
    assert [item.type for item in reply.output] == ["reasoning", "message", "function_call"]
    call = reply.output[-1]
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Bern"})
    assert (reply.status, reply.tools[0].name, reply.tool_choice) == (
        "completed",
        "weather",
        "auto",
    )


async def test_a_function_that_must_be_called_is_all_that_is_said() -> None:
    async with served(saying(THOUGHT, '{"city": "Bern"}<|end|>')) as server:
        reply: Any = await server.openai.responses.create(
            model="small",
            input=QUESTION,
            tools=[WEATHER],
            tool_choice={"type": "function", "name": "weather"},
        )
    assert [item.type for item in reply.output] == ["reasoning", "function_call"]
    assert reply.tool_choice.name == "weather"


async def test_a_call_and_its_output_reach_the_template() -> None:
    engine = saying(THOUGHT, ANSWER)
    items: Any = [
        {"role": "user", "content": "Is it warm?"},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "1", "name": "weather", "arguments": '{"city": "B"}'},
        {"type": "function_call_output", "call_id": "1", "output": "20 degrees"},
    ]
    async with served(engine) as server:
        await server.openai.responses.create(model="small", input=items, tools=[WEATHER])
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert prompt.index("Is it warm?") < prompt.index("20 degrees")


async def test_a_schema_binds_the_answer() -> None:
    engine = saying(THOUGHT, '{"r": 3}<|end|>')
    text: Any = {"format": {"type": "json_schema", "name": "count", "schema": {"type": "object"}}}
    async with served(engine) as server:
        reply = await server.openai.responses.create(model="small", input=QUESTION, text=text)
    assert reply.output_text == '{"r": 3}'
    assert engine.calls[-1].sampling.grammar == Grammar("json", '{"type": "object"}')


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [WEATHER, WEATHER], "tool_choice": "required"}, "tools[1].name"),
        ({"tools": [{**WEATHER, "name": "a b"}]}, "tools[0].name"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}},
            "tool_choice.name",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "x"}}}},
            "text.format.schema",
        ),
    ],
)
async def test_what_is_wrong_with_tools_is_named(body: dict[str, Any], param: str) -> None:
    async with served(saying()) as server:
        response = await server.http.post("/v1/responses", json={"input": QUESTION, **body})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert response.json()["error"]["message"].startswith(param)
