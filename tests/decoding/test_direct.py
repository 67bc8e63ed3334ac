from collections.abc import Sequence
from contextlib import aclosing

import pytest

from decoding.direct import Direct
from decoding.types import Sampling, Thinking, Usage
from tests.scripted import BIDE, Reply, ScriptedEngine, ask, spoken


async def say(text: str, policy: Direct, sampling: Sampling, sizes: Sequence[int] = (1,)) -> Reply:
    engine = ScriptedEngine(BIDE, spoken(BIDE.codec, text), sizes=sizes)
    return await ask(policy, engine, BIDE, sampling)


@pytest.fixture
def plain() -> Direct:
    return Direct(BIDE.turn_ends)


async def test_one_call_is_one_answer(plain: Direct) -> None:
    reply = await say("\nfour<|end|>", plain, Sampling(20, temperature=0.5, seed=7))
    assert (reply.reasoning, reply.content) == ("", "\nfour")
    assert reply.final.finish == "stop"
    assert reply.final.thinking is None
    assert reply.final.usage == Usage(3, 6, 0, injected=0, generated=6, discarded=0)
    (call,) = reply.calls
    assert call.token_ids == (1, 2, 3)
    assert (call.sampling.temperature, call.sampling.seed) == (0.5, 7)


@pytest.mark.parametrize("end", ["<|end|>", "<|eos|>"])
async def test_any_end_of_the_turn_ends_it(plain: Direct, end: str) -> None:
    reply = await say(f"four{end}", plain, Sampling(20))
    assert reply.written == f"four{end}"
    assert reply.content == "four"


async def test_max_tokens_ends_it(plain: Direct) -> None:
    reply = await say("four", plain, Sampling(2))
    assert reply.content == "fo"
    assert reply.final.finish == "length"


@pytest.mark.parametrize("size", [1, 2, 3, 9])
async def test_a_stop_string_is_not_content(plain: Direct, size: int) -> None:
    reply = await say("four.\n\nfive", plain, Sampling(20, stop=("\n\n",)), sizes=(size,))
    assert reply.content == "four."
    assert reply.final.finish == "stop"


@pytest.mark.parametrize("size", [1, 2, 9])
async def test_with_thinking_off_line_breaks_before_the_content_are_layout(size: int) -> None:
    policy = Direct(BIDE.turn_ends, disabled=True)
    reply = await say("\n\nfour\n<|end|>", policy, Sampling(20), sizes=(size,))
    assert reply.content == "four\n"
    assert reply.written == "\n\nfour\n<|end|>"
    assert reply.final.thinking == Thinking(0, 0, "disabled", 0, ())


async def test_a_client_that_leaves_aborts_the_call(plain: Direct) -> None:
    engine = ScriptedEngine(BIDE, spoken(BIDE.codec, "four<|end|>"))
    async with aclosing(plain.run(engine, (1,), Sampling(20))) as events:
        await anext(events)
    assert [call.aborted for call in engine.calls] == [True]
