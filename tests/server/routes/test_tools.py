"""Tools with the official client: offered, demanded, streamed, voted on, and in the history."""

import json
from typing import Any

import pytest

from decoding.tool_calls import joined
from decoding.types import ToolCallDelta
from tests.server.serving import Served, saying, served, small_family

QUESTION: Any = [{"role": "user", "content": "Is it warm?"}]
PARAMETERS: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "It", "parameters": PARAMETERS},
}
CLOCK: Any = {"type": "function", "function": {"name": "clock"}}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call>'
NAMED: Any = {"type": "function", "function": {"name": "weather"}}


async def ask(server: Served, **body: Any) -> Any:
    reply = await server.openai.chat.completions.create(
        model="small", messages=QUESTION, tools=[WEATHER, CLOCK], **body
    )
    return reply.choices[0]


async def streamed(server: Served, **body: Any) -> tuple[str, list[Any], str]:
    """The content, the calls, and what ended it."""
    stream = await server.openai.chat.completions.create(
        model="small", messages=QUESTION, tools=[WEATHER, CLOCK], stream=True, **body
    )
    content, finish, pieces = "", "", list[ToolCallDelta]()
    async for chunk in stream:
        (choice,) = chunk.choices
        content += choice.delta.content or ""
        finish = choice.finish_reason or finish
        for piece in choice.delta.tool_calls or []:
            of = piece.function
            assert of is not None
            pieces.append(ToolCallDelta(piece.index, of.arguments or "", piece.id, of.name))
    return content, [(c.name, json.loads(c.arguments)) for c in joined(pieces)], finish


async def test_strict_binds_the_calls_of_an_answer_that_is_free_otherwise() -> None:
    strict = {**WEATHER, "function": {**WEATHER["function"], "strict": True}}
    engine = saying("hm\n</think>", f"\n{CALL}<|end|>")
    async with served(engine) as server:
        reply = await server.openai.chat.completions.create(
            model="small", messages=QUESTION, tools=[strict, CLOCK]
        )
    assert reply.choices[0].finish_reason == "tool_calls"
    thought, answer = (call.sampling.grammar for call in engine.calls)
    assert thought is None
    assert answer is not None
    assert answer.kind == "structural_tag"
    tags = json.loads(answer.value)["format"]["tags"]
    assert [tag["content"]["json_schema"] for tag in tags] == [PARAMETERS, {"type": "object"}]


async def test_a_model_calls_a_tool_by_itself() -> None:
    engine = saying("hm\n</think>", f"\nI look.\n{CALL}<|end|>")
    async with served(engine) as server:
        choice = await ask(server)
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "I look."
    assert call.id.startswith("call_")
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "weather",
        {"city": "Zürich"},
    )
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert '"name": "weather", "parameters": {"type": "object"' in prompt
    assert '"description": "It"' in prompt
    assert all(call.sampling.grammar is None for call in engine.calls)


async def test_a_call_streamed() -> None:
    async with served(saying("hm\n</think>", f"\nI look.\n{CALL}<|end|>")) as server:
        said = await streamed(server)
    assert said == ("I look.", [("weather", {"city": "Zürich"})], "tool_calls")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_does_not_parse_is_content(stream: bool) -> None:
    broken = "<tool_call>\nweather\n</tool_call>"
    async with served(saying("</think>", f"{broken}<|end|>")) as server:
        if stream:
            assert await streamed(server) == (broken, [], "stop")
            return
        choice = await ask(server)
    assert (choice.message.content, choice.finish_reason) == (broken, "stop")
    assert choice.message.tool_calls is None


async def test_calls_after_the_first_are_dropped_where_they_must_not_be_parallel() -> None:
    async with served(saying("</think>", f"{CALL}{CALL}<|end|>")) as server:
        choice = await ask(server, parallel_tool_calls=False)
    assert len(choice.message.tool_calls) == 1


async def test_a_named_tool_binds_its_arguments() -> None:
    engine = saying("hm\n</think>", '{"city": "Bern"}<|end|>')
    async with served(engine) as server:
        choice = await ask(server, tool_choice=NAMED)
    (call,) = choice.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Bern"}')
    assert (choice.message.content, choice.finish_reason) == (None, "tool_calls")
    thinking, answering = engine.calls
    assert thinking.sampling.grammar is None
    assert answering.sampling.grammar is not None
    assert json.loads(answering.sampling.grammar.value) == PARAMETERS


@pytest.mark.parametrize("parallel", [True, False])
async def test_required_tools_stream_as_they_come(parallel: bool) -> None:
    answer = '[{"name": "weather", "parameters": {"city": "Bern"}}]<|end|>'
    engine = saying("hm\n</think>", answer)
    async with served(engine) as server:
        said = await streamed(server, tool_choice="required", parallel_tool_calls=parallel)
    assert said == ("", [("weather", {"city": "Bern"})], "tool_calls")
    grammar = engine.calls[-1].sampling.grammar
    assert grammar is not None
    schema = json.loads(grammar.value)
    assert schema["minItems"] == 1
    assert ("maxItems" in schema) != parallel


async def test_arguments_that_are_cut_say_so() -> None:
    async with served(saying("</think>", '{"city": "Be')) as server:
        choice = await ask(server, tool_choice=NAMED, max_tokens=8)
    assert choice.finish_reason == "length"
    assert choice.message.tool_calls[0].function.arguments.startswith('{"')


async def test_no_tool_is_shown_where_none_may_be_called() -> None:
    engine = saying("</think>", f"{CALL}<|end|>")
    async with served(engine) as server:
        choice = await ask(server, tool_choice="none")
    assert choice.message.content == CALL
    assert "weather" not in small_family().codec.decode(engine.calls[0].token_ids)


async def test_votes_compare_calls_by_their_content() -> None:
    calls = (
        '<tool_call>{"name": "f", "arguments": {"a": 1, "b": 2}}</tool_call><|end|>',
        'Well. <tool_call>{"arguments": {"b": 2.0, "a": 1}, "name": "f"}</tool_call><|end|>',
        "The answer is 3.<|end|>",
    )
    script = [part for call in calls for part in ("</think>", call)]
    async with served(saying(*script)) as server:
        vote = {"n": 3, "stop": "never", "max_concurrency": 1}
        choice = await ask(server, extra_body={"vote": vote})
    assert choice.vote["counts"] == {
        '[{"name": "f", "arguments": {"a": 1, "b": 2}}]': 2,
        "3": 1,
    }
    assert choice.message.tool_calls[0].function.name == "f"
    assert choice.finish_reason == "tool_calls"


async def test_earlier_calls_and_results_reach_the_template() -> None:
    engine = saying("</think>", "Yes.<|end|>")
    function = {"name": "weather", "arguments": '{"city": "Bern"}'}
    turns: Any = [
        *QUESTION,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "27 °C"}]},
    ]
    async with served(engine) as server:
        reply = await server.openai.chat.completions.create(
            model="small", messages=turns, tools=[WEATHER]
        )
    assert reply.choices[0].message.content == "Yes."
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}' in prompt
    assert "<tool_response>\n27 °C\n</tool_response>" in prompt


def history(**call: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": "{}", **call}
    calls = [{"id": "c", "type": "function", "function": function}]
    return {"messages": [{"role": "assistant", "tool_calls": calls}]}


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"tools": [{"type": "function"}]}, "tools[0].function", "required"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "'function'"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
            "match pattern",
        ),
        ({"tools": [CLOCK, CLOCK]}, "tools[1].function.name", "there twice"),
        ({"tools": [CLOCK], "tool_choice": NAMED}, "tool_choice.function.name", "no tool"),
        ({"tools": [CLOCK], "tool_choice": "always"}, "tool_choice", "'none', 'auto'"),
        ({"tool_choice": "required"}, "tool_choice", "no tools to call"),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "strict": True,
                            "parameters": {"type": "objet"},
                        },
                    }
                ]
            },
            "tools[0].function.strict",
            "Unsupported type",
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "weather", "parameters": {"type": "objet"}},
                    }
                ],
                "tool_choice": NAMED,
            },
            "tools[0].function.parameters",
            "Unsupported type",
        ),
        (
            history(arguments="[1]"),
            "messages[0].tool_calls[0].function.arguments",
            "should be a JSON object",
        ),
        (
            {"messages": [{"role": "user", "content": "", "tool_calls": [{}]}]},
            "messages[0].tool_calls[0].id",
            "required",
        ),
        (
            {"messages": [{"role": "user", "content": "", "tool_call_id": "c"}]},
            "messages[0].tool_call_id",
            "role 'tool'",
        ),
        (
            {"messages": [{"role": "tool", "content": "3"}]},
            "messages[0].tool_call_id",
            "which call",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, PICTURE]}]},
            "messages[0].content[1]",
            "this model reads no images",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "hologram"}]}]},
            "messages[0].content[0].type",
            "'text'",
        ),
    ],
)
async def test_what_is_wrong_is_named(body: dict[str, Any], param: str, says: str) -> None:
    async with served(saying()) as server:
        response = await server.chat(**body)
    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]


async def test_a_model_whose_way_to_call_is_not_known() -> None:
    async with served(saying(), tool_parser="none") as server:
        response = await server.chat(tools=[CLOCK])
    assert response.status_code == 400
    assert "--tool-parser" in response.json()["error"]["message"]
