from contextlib import aclosing

import pytest

from decoding.scoring import Scoring
from decoding.types import Delta, Event, Final, Sampling, Score, Usage
from tests.scripted import BIDE, ScriptedEngine, spoken


async def score(text: str, max_tokens: int) -> tuple[list[Event], ScriptedEngine]:
    engine = ScriptedEngine(BIDE, spoken(BIDE.codec, text))
    sampling = Sampling(max_tokens, logprobs=1, prompt_logprobs=1)
    events = Scoring(BIDE.turn_ends).run(engine, BIDE.codec.encode("abc"), sampling)
    async with aclosing(events) as said:
        return [event async for event in said], engine


@pytest.mark.parametrize(("text", "finish"), [("d", "length"), ("<|end|>", "stop")])
async def test_the_token_after_the_prompt_is_told_whatever_it_is(text: str, finish: str) -> None:
    (scored, delta, final), engine = await score(text, 1)
    assert isinstance(scored, Score)
    assert [each.drawn.text for each in scored.logprobs] == ["b", "c"]
    assert isinstance(delta, Delta)
    assert (delta.text, [each.drawn.text for each in delta.logprobs]) == (text, [text])
    assert isinstance(final, Final)
    assert (final.finish, final.usage) == (finish, Usage(3, 1, 0, 0, generated=1, discarded=0))
    assert len(engine.calls) == 1


async def test_it_is_discarded_where_no_token_is_asked_for() -> None:
    (scored, final), _ = await score("d", 0)
    assert isinstance(scored, Score)
    assert isinstance(final, Final)
    assert final.usage == Usage(3, 0, 0, 0, generated=1, discarded=1)
