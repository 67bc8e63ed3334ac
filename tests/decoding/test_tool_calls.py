"""Calls taken out of a policy's answer, and compared by content."""

from collections.abc import AsyncGenerator, Sequence

import pytest

from decoding.direct import Direct
from decoding.engine import Engine
from decoding.hermes import HermesReader
from decoding.tool_calls import ToolCalling, as_answer, joined
from decoding.types import Delta, Event, Final, Sampling, ToolCall, ToolCallDelta, Usage
from tests.scripted import BIDE, Reply, ScriptedEngine, ask, spoken

CALL = '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'


async def answer(text: str, *, parallel: bool = True, logprobs: int | None = None) -> Reply:
    policy = ToolCalling(Direct(BIDE.turn_ends), HermesReader, parallel=parallel)
    engine = ScriptedEngine(BIDE, spoken(BIDE.codec, text), sizes=(3,))
    return await ask(policy, engine, BIDE, Sampling(100, logprobs=logprobs))


def calls_of(reply: Reply) -> list[tuple[str, str]]:
    calls = joined(piece for delta in reply.deltas for piece in delta.tool_calls)
    return [(call.name, call.arguments) for call in calls]


async def test_an_answer_with_calls_says_so_and_loses_no_token() -> None:
    reply = await answer(f"Yes. {CALL}<|end|>", logprobs=0)
    assert (reply.content, calls_of(reply)) == ("Yes.", [("f", '{"x": 1}')])
    assert reply.final.finish == "tool_calls"
    drawn = len(reply.calls[0].produced)
    assert len(reply.token_ids("content")) == drawn - 1
    assert sum(len(delta.logprobs) for delta in reply.deltas) == drawn - 1
    assert reply.final.usage.completion == drawn


async def test_what_is_held_back_at_the_end_is_content() -> None:
    reply = await answer("1 <tool<|end|>")
    assert (reply.content, calls_of(reply), reply.final.finish) == ("1 <tool", [], "stop")


async def test_an_answer_that_is_cut_was_not_finished_by_its_calls() -> None:
    reply = await answer(f"{CALL}{'.' * 100}")
    assert (len(calls_of(reply)), reply.final.finish) == (1, "length")


@pytest.mark.parametrize(("parallel", "heard"), [(True, 2), (False, 1)])
async def test_calls_beside_the_first(parallel: bool, heard: int) -> None:
    short = '<tool_call>{"name":"f","arguments":{}}</tool_call>'
    reply = await answer(f"{short}{short}", parallel=parallel)
    assert len(calls_of(reply)) == heard


class Thoughtful:
    """A policy that thinks of a call and makes none."""

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        yield Delta("reasoning", CALL, ())
        yield Final("stop", Usage(0, 0, 0, 0, 0, 0), ())


async def test_thinking_is_not_read_for_calls() -> None:
    engine = ScriptedEngine(BIDE, spoken(BIDE.codec))
    reply = await ask(ToolCalling(Thoughtful(), HermesReader), engine, BIDE, Sampling(9))
    assert (reply.reasoning, calls_of(reply), reply.final.finish) == (CALL, [], "stop")


def test_pieces_make_calls_whatever_their_order_between_calls() -> None:
    pieces = [
        ToolCallDelta(0, "", "a", "f"),
        ToolCallDelta(1, "{", "b", "g"),
        ToolCallDelta(0, "{}"),
        ToolCallDelta(1, "}"),
    ]
    assert joined(pieces) == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))


def test_ids_are_no_part_of_an_answer() -> None:
    assert as_answer([ToolCall("a", "f", '{"x":1}')]) == as_answer([ToolCall("b", "f", '{"x": 1}')])
    assert as_answer([ToolCall("a", "f", "{")]) == '[{"name": "f", "arguments": "{"}]'
