"""Anthropic's messages with the official client, over a scripted engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from anthropic import APIStatusError, AsyncAnthropic, BadRequestError, NotFoundError

from decoding.types import Grammar
from tests.scripted import ScriptedEngine, hashed
from tests.server.routes.test_chat import DyingEngine
from tests.server.serving import Served, saying, served, small_family

QUESTION: Any = [{"role": "user", "content": "How many r in raspberry?"}]
THINKING: Any = {"type": "enabled", "budget_tokens": 100}
THOUGHT = "r r\nSo it's 2.\n</think>"
ANSWER = "\nThe answer is 3.<|end|>"


@asynccontextmanager
async def anthropic(server: Served) -> AsyncIterator[AsyncAnthropic]:
    transport = httpx2.ASGITransport(server.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bide") as http:
        yield AsyncAnthropic(
            base_url="http://bide", api_key="none", http_client=http, max_retries=0
        )


async def test_a_message_is_a_thought_and_a_text() -> None:
    async with served(saying(THOUGHT, ANSWER)) as server, anthropic(server) as client:
        reply: Any = await client.messages.create(
            model="small", messages=QUESTION, max_tokens=300, thinking=THINKING
        )
    thought, text = reply.content
    assert (thought.type, thought.thinking, thought.signature) == (
        "thinking",
        "r r\nSo it's 2.\n",
        "",
    )
    assert (text.type, text.text) == ("text", "The answer is 3.")
    assert (reply.role, reply.stop_reason, reply.stop_sequence) == ("assistant", "end_turn", None)
    assert reply.usage.output_tokens > reply.usage.output_tokens_details.thinking_tokens > 0
    assert reply.thinking["budget_tokens"] == 100


async def test_a_stream_adds_up_to_the_same_message() -> None:
    engines = [saying(THOUGHT, ANSWER), saying(THOUGHT, ANSWER)]
    asked: Any = {
        "model": "small",
        "messages": QUESTION,
        "max_tokens": 300,
        "thinking": THINKING,
    }
    async with served(engines[0]) as server, anthropic(server) as client:
        whole = await client.messages.create(**asked)
    async with (
        served(engines[1]) as server,
        anthropic(server) as client,
        client.messages.stream(**asked) as stream,
    ):
        names = [event.type async for event in stream]
        added = await stream.get_final_message()
    # The client keeps what it knows of a stream; Bide's details are beside the last usage.
    assert added.model_dump(exclude={"id"}) == whole.model_dump(exclude={"id", "thinking"})
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    told = [name for name in names if name.startswith(("message", "content_block"))]
    assert list(dict.fromkeys(told)) == ["message_start", *block, "message_delta", "message_stop"]
    assert told.count("content_block_start") == told.count("content_block_stop") == 2


async def test_it_does_not_think_unless_it_is_asked_to() -> None:
    engine = saying("The answer is 3.<|end|>")
    async with served(engine) as server, anthropic(server) as client:
        reply: Any = await client.messages.create(
            model="small", messages=QUESTION, max_tokens=300, system="Be brief."
        )
    assert [block.type for block in reply.content] == ["text"]
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert prompt.endswith("<|assistant|>\n<think>\n</think>\n")
    assert "Be brief." in prompt


@pytest.mark.parametrize(
    "asks",
    [
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"waits": 0}},
        {"output_config": {"effort": "low"}},
        {"reasoning_effort": "low"},
        {"enable_thinking": True},
        {"thinking_budget": 50},
    ],
)
async def test_any_name_for_thinking_asks_for_it(asks: dict[str, Any]) -> None:
    async with served(saying(THOUGHT, ANSWER)) as server:
        body = {"messages": QUESTION, "max_tokens": 300, **asks}
        reply = (await server.http.post("/v1/messages", json=body)).json()
    assert [block["type"] for block in reply["content"]] == ["thinking", "text"]


async def test_a_thought_that_is_omitted_is_counted() -> None:
    async with served(saying(THOUGHT, ANSWER)) as server, anthropic(server) as client:
        thinking: Any = {**THINKING, "display": "omitted"}
        reply: Any = await client.messages.create(
            model="small", messages=QUESTION, max_tokens=300, thinking=thinking
        )
    assert [block.type for block in reply.content] == ["text"]
    assert reply.usage.output_tokens_details.thinking_tokens > 0


async def test_the_text_that_stopped_it_is_told() -> None:
    async with served(saying("The answer is 3.<|end|>")) as server, anthropic(server) as client:
        reply = await client.messages.create(
            model="small",
            messages=QUESTION,
            max_tokens=300,
            stop_sequences=["never", " is"],
        )
    assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", " is")
    assert reply.content[0].text == "The answer"  # type: ignore[union-attr]


async def test_a_message_that_is_cut_says_so() -> None:
    family = small_family()
    engine = ScriptedEngine(family, hashed(family.codec.encode("ab")))
    async with served(engine) as server, anthropic(server) as client:
        reply = await client.messages.create(model="small", messages=QUESTION, max_tokens=40)
    assert (reply.stop_reason, reply.usage.output_tokens) == ("max_tokens", 40)


async def test_a_reply_can_be_sent_back_as_it_came() -> None:
    engine = saying(THOUGHT, ANSWER, ANSWER.strip())
    async with served(engine) as server, anthropic(server) as client:
        create = client.messages.create
        reply = await create(model="small", messages=QUESTION, max_tokens=300, thinking=THINKING)
        turn: Any = {"role": "assistant", "content": reply.content}
        sure: Any = {"role": "user", "content": [{"type": "text", "text": "Sure?"}]}
        await create(model="small", messages=[*QUESTION, turn, sure], max_tokens=300)
    prompt = small_family().codec.decode(engine.calls[2].token_ids)
    assert "<|assistant|>\nThe answer is 3.<|end|>\n<|user|>\nSure?" in prompt


async def test_the_tokens_of_a_prompt_are_counted() -> None:
    engine = saying(THOUGHT, ANSWER)
    async with served(engine) as server, anthropic(server) as client:
        count = await client.messages.count_tokens(
            model="small", messages=QUESTION, system="Be brief.", thinking=THINKING
        )
        reply = await client.messages.create(
            model="small", messages=QUESTION, system="Be brief.", thinking=THINKING, max_tokens=300
        )
    assert count.input_tokens == reply.usage.input_tokens == len(engine.calls[0].token_ids)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"max_tokens": None}, "max_tokens: "),
        ({"max_tokens": 5000}, "max_tokens: 5000 is more"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 300}},
            "thinking.budget_tokens: 300 must be less than max_tokens, 300",
        ),
        ({"thinking": {"budget": 5}}, "unknown field: thinking.budget"),
        ({"stop_sequences": [""]}, "stop_sequences[0]: "),
        ({"stop": "x"}, "unknown field: stop"),
        ({"container": "x"}, "unknown field: container"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0]: should be an object"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
            "messages[0].content[0]: should be an object whose type is one of text, image, ",
        ),
        (
            {"messages": [*QUESTION, {"role": "assistant", "content": "The"}]},
            "messages: ",
        ),
        ({"messages": [{"role": "user", "content": "r" * 9000}]}, "messages: "),
        (
            {"output_config": {"effort": "none"}, "enable_thinking": True},
            "contradict each other on whether to think",
        ),
        (
            {"output_config": {"effort": "low"}, "reasoning_effort": "high"},
            "output_config.effort and reasoning_effort contradict each other",
        ),
        (
            {"output_config": {"effort": "low"}, "reasoning": {"effort": "high"}},
            "output_config",
        ),
    ],
)
async def test_what_is_wrong_is_named_in_anthropics_shape(body: dict[str, Any], says: str) -> None:
    async with served(saying()) as server:
        asked = {"messages": QUESTION, "max_tokens": 300, **body}
        response = await server.http.post("/v1/messages", json=asked)
    told = response.json()
    assert response.status_code == 400
    assert (told["type"], told["error"]["type"]) == ("error", "invalid_request_error")
    assert says in told["error"]["message"]


async def test_the_clients_own_exceptions() -> None:
    async with served(saying()) as server, anthropic(server) as client:
        with pytest.raises(BadRequestError, match="max_tokens: 5000"):
            await client.messages.create(model="small", messages=QUESTION, max_tokens=5000)
        with pytest.raises(NotFoundError, match="there is no 'claude'"):
            await client.messages.create(model="claude", messages=QUESTION, max_tokens=300)


async def test_an_engine_that_dies_midway_is_an_error_event() -> None:
    family = small_family()
    engine = DyingEngine(family, hashed(family.codec.encode("ab")))
    async with served(engine) as server, anthropic(server) as client:
        with pytest.raises(APIStatusError, match="the engine has stopped"):
            async with client.messages.stream(
                model="small", messages=QUESTION, max_tokens=300
            ) as stream:
                await stream.get_final_message()


SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"name": "weather", "description": "Now", "input_schema": SCHEMA}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>'


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_used(stream: bool) -> None:
    asked: Any = {
        "model": "small",
        "messages": QUESTION,
        "max_tokens": 300,
        "tools": [WEATHER],
        "thinking": THINKING,
    }
    engine = saying(THOUGHT, f"I look.\n{CALL}<|end|>")
    async with served(engine) as server, anthropic(server) as client:
        if stream:
            async with client.messages.stream(**asked) as events:
                reply: Any = await events.get_final_message()
        else:
            reply = await client.messages.create(**asked)
    assert [block.type for block in reply.content] == ["thinking", "text", "tool_use"]
    use = reply.content[-1]
    assert (use.name, use.input, reply.stop_reason) == ("weather", {"city": "Bern"}, "tool_use")


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
async def test_a_tool_that_must_be_used(choice: Any) -> None:
    arguments = '{"city": "Bern"}'
    calls = f'[{{"name": "weather", "parameters": {arguments}}}]'
    engine = saying(f"{calls if choice['type'] == 'any' else arguments}<|end|>")
    async with served(engine) as server, anthropic(server) as client:
        reply: Any = await client.messages.create(
            model="small", messages=QUESTION, max_tokens=300, tools=[WEATHER], tool_choice=choice
        )
    assert [(block.type, block.input) for block in reply.content] == [
        ("tool_use", {"city": "Bern"})
    ]


async def test_a_use_and_its_result_reach_the_template() -> None:
    engine = saying("Yes.<|end|>")
    use: Any = {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Bern"}}
    result: Any = {
        "type": "tool_result",
        "tool_use_id": "1",
        "content": "no data",
        "is_error": True,
    }
    turns: Any = [
        *QUESTION,
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
        {"role": "user", "content": [{"type": "text", "text": "Well?"}, result]},
    ]
    async with served(engine) as server, anthropic(server) as client:
        await client.messages.create(model="small", messages=turns, max_tokens=300, tools=[WEATHER])
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert prompt.index("I look.") < prompt.index("Error: no data") < prompt.index("Well?")


async def test_a_schema_binds_the_answer() -> None:
    engine = saying('{"r": 3}<|end|>')
    output: Any = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    async with served(engine) as server, anthropic(server) as client:
        await client.messages.create(
            model="small", messages=QUESTION, max_tokens=300, output_config=output
        )
    assert engine.calls[-1].sampling.grammar == Grammar("json", '{"type": "object"}')


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"tools": [{**WEATHER, "name": "a b"}]}, "tools[0].name: "),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0]."),
        (
            {
                "tools": [{**WEATHER, "input_schema": {"type": "x"}}],
                "tool_choice": {"type": "tool", "name": "weather"},
            },
            "tools[0].input_schema: ",
        ),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool"}}, "tool_choice.name: "),
    ],
)
async def test_what_is_wrong_with_tools_is_named(body: dict[str, Any], says: str) -> None:
    async with served(saying()) as server:
        asked = {"messages": QUESTION, "max_tokens": 300, **body}
        response = await server.http.post("/v1/messages", json=asked)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(says)
