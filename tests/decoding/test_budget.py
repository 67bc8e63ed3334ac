import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from itertools import repeat
from typing import Any

import pytest

from decoding.budget import Budget, BudgetConfig, BudgetError
from decoding.types import Delta, Injection, Sampling, Thinking, Usage
from tests.scripted import BIDE, S1, Family, Reply, ScriptedEngine, ask, spoken


def budget(family: Family = BIDE, reserve: int = 0, **config: Any) -> Budget:
    return Budget(BudgetConfig(**config), family.markers, family.codec, reserve)


async def think(
    *calls: str,
    family: Family = BIDE,
    max_tokens: int = 100,
    reserve: int = 0,
    sizes: Sequence[int] = (1,),
    **config: Any,
) -> Reply:
    """The reply of a model that says one text a call. A character is a token."""
    engine = ScriptedEngine(family, spoken(family.codec, *calls), sizes=sizes)
    policy = budget(family, reserve, **config)
    return await ask(policy, engine, family, Sampling(max_tokens))


def asked(reply: Reply) -> list[int]:
    return [call.sampling.max_tokens for call in reply.calls]


class TestNaturalEnd:
    async def test_the_model_ends_its_thought_itself(self) -> None:
        reply = await think("2+2</think>", "\n4<|end|>")
        assert reply.written == "2+2</think>\n4<|end|>"
        assert (reply.reasoning, reply.content) == ("2+2", "4")
        assert reply.final.finish == "stop"
        assert reply.thinking == Thinking(3, 0, "natural", None, ())
        assert reply.final.usage == Usage(3, 7, 3, injected=0, generated=7, discarded=0)

    async def test_the_answer_may_run_out_of_tokens(self) -> None:
        reply = await think("ab</think>", "123456789", max_tokens=8)
        assert reply.written == "ab</think>12345"
        assert reply.final.finish == "length"

    async def test_an_empty_thought(self) -> None:
        reply = await think("</think>", "4<|end|>")
        assert (reply.reasoning, reply.content) == ("", "4")
        assert reply.final.usage.reasoning == 0

    async def test_thinking_has_no_stop_strings_and_the_answer_has(self) -> None:
        engine = ScriptedEngine(BIDE, spoken(BIDE.codec, "a;b</think>", "4;5<|end|>"))
        reply = await ask(budget(), engine, BIDE, Sampling(50, stop=(";",)))
        assert (reply.reasoning, reply.content) == ("a;b", "4")
        assert reply.final.finish == "stop"

    @pytest.mark.parametrize("end", ["<|end|>", "<|eos|>"])
    async def test_the_end_of_the_turn_ends_the_thought_alone(self, end: str) -> None:
        reply = await think(f"ab{end}", "4<|end|>")
        assert reply.written == "ab\n</think>\n4<|end|>"
        assert reply.content == "4"
        assert reply.thinking == Thinking(2, 0, "natural", None, reply.thinking.injected)
        assert reply.final.usage.discarded == 1

    async def test_a_thought_that_ends_by_itself_has_no_answer_prefix(self) -> None:
        reply = await think("ab<|im_end|>", "4<|im_end|>", family=S1)
        assert reply.written == "ab\n<|im_start|>answer\n4<|im_end|>"


class TestCap:
    async def test_a_thought_is_cut_at_its_cap(self) -> None:
        reply = await think("abcdefgh", "4<|end|>", budget_tokens=5)
        assert reply.written == "abcde\n</think>\n4<|end|>"
        assert (reply.reasoning, reply.content) == ("abcde", "4")
        closing = BIDE.markers.closing
        assert reply.thinking == Thinking(
            5, 0, "budget", 5, (Injection(5, "\n", (10,)), Injection(6, "</think>\n", closing))
        )
        assert reply.final.usage == Usage(3, 10, 5, injected=3, generated=7, discarded=0)

    async def test_a_marker_right_after_the_cap_comes_too_late(self) -> None:
        reply = await think("abcde</think>", "4<|end|>", budget_tokens=5)
        assert reply.thinking.end == "budget"

    async def test_a_line_is_broken_once(self) -> None:
        reply = await think("abcd\nefg", "4<|end|>", budget_tokens=5)
        assert reply.written == "abcd\n</think>\n4<|end|>"

    async def test_last_words_are_inside_the_budget(self) -> None:
        reply = await think("abcdefgh", "4<|end|>", budget_tokens=8, end_text=" OK.")
        assert reply.written == "abcd OK.\n</think>\n4<|end|>"
        assert reply.reasoning == "abcd OK."
        assert reply.deltas[-2] == Delta("reasoning", " OK.", (32, 79, 75, 46), injected=True)

    async def test_last_words_are_for_a_cut_thought_alone(self) -> None:
        reply = await think("ab</think>", "4<|end|>", budget_tokens=8, end_text=" OK.")
        assert reply.written == "ab</think>4<|end|>"

    async def test_last_words_that_do_not_fit_into_max_tokens_are_left_out(self) -> None:
        reply = await think("abc", "4", max_tokens=6, budget_tokens=50, end_text=" OK.")
        assert reply.written == "ab\n</think>\n4"

    async def test_an_answer_prefix_is_content(self) -> None:
        reply = await think("abc", " 4<|end|>", budget_tokens=2, answer_prefix="Answer:")
        assert reply.written == "ab\n</think>\nAnswer: 4<|end|>"
        assert (reply.reasoning, reply.content) == ("ab", "Answer: 4")

    @pytest.mark.parametrize(
        ("prefix", "content"), [(None, "Final Answer: 4"), ("", " 4"), ("So", "So 4")]
    )
    async def test_the_profile_may_have_a_prefix(self, prefix: str | None, content: str) -> None:
        reply = await think("abc", " 4<|im_end|>", family=S1, budget_tokens=2, answer_prefix=prefix)
        assert reply.content == content

    async def test_no_budget_no_thought(self) -> None:
        reply = await think("4<|end|>", budget_tokens=0, waits=3)
        assert reply.written == "</think>\n4<|end|>"
        assert reply.thinking.end == "budget"
        assert reply.final.usage.reasoning == 0

    async def test_no_budget_no_last_words(self) -> None:
        reply = await think("4<|end|>", budget_tokens=0, end_text=" OK.")
        assert reply.written == "</think>\n4<|end|>"


class TestWaits:
    async def test_ends_are_replaced(self) -> None:
        reply = await think("a</think>", "b</think>", "c</think>", "4<|end|>", waits=2)
        assert reply.written == "aWaitbWaitc</think>4<|end|>"
        assert reply.reasoning == "aWaitbWaitc"
        assert [delta.text for delta in reply.deltas if delta.injected] == ["Wait", "Wait"]
        wait = tuple(map(ord, "Wait"))
        injected = (Injection(1, "Wait", wait), Injection(6, "Wait", wait))
        assert reply.thinking == Thinking(11, 2, "natural", None, injected)
        assert reply.final.usage == Usage(3, 14, 11, injected=8, generated=8, discarded=2)

    async def test_each_call_continues_all_ids_so_far(self) -> None:
        reply = await think("a</think>", "b</think>", "4<|end|>", waits=1)
        texts = [BIDE.codec.decode(call.token_ids[3:]) for call in reply.calls]
        assert texts == ["", "aWait", "aWaitb</think>"]

    async def test_wait_texts_take_turns(self) -> None:
        calls = "a</think>", "b</think>", "c</think>", "d</think>", "4<|end|>"
        reply = await think(*calls, waits=3, wait=("Wait", "Hmm"))
        assert reply.reasoning == "aWaitbHmmcWaitd"

    async def test_the_end_of_the_turn_is_replaced_too(self) -> None:
        reply = await think("a<|end|>", "b<|eos|>", "c</think>", "4<|end|>", waits=2)
        assert reply.written == "aWaitbWaitc</think>4<|end|>"

    async def test_a_minimum_asks_for_as_many_waits_as_it_takes(self) -> None:
        reply = await think("a</think>", "</think>", "b</think>", "4<|end|>", min_tokens=10)
        assert reply.reasoning == "aWaitWaitb"
        assert reply.thinking.waits == 2

    async def test_the_minimum_may_be_met_exactly(self) -> None:
        reply = await think("abc</think>", "4<|end|>", min_tokens=3)
        assert reply.reasoning == "abc"

    async def test_the_budget_is_for_all_rounds_together(self) -> None:
        reply = await think("ab</think>", "cdefgh", "4<|end|>", budget_tokens=8, waits=5)
        assert reply.written == "abWaitcd\n</think>\n4<|end|>"
        assert asked(reply)[:2] == [8, 2]
        assert reply.thinking.end == "budget"

    @pytest.mark.parametrize(("tokens", "waits"), [(6, 0), (7, 1)])
    async def test_a_wait_needs_room_for_a_thought_after_it(self, tokens: int, waits: int) -> None:
        calls = ["ab</think>", *["c"] * waits, "4<|end|>"]
        reply = await think(*calls, budget_tokens=tokens, waits=1)
        assert reply.thinking.waits == waits
        assert reply.thinking.end == ("budget" if waits else "natural")


class TestMarkerOfSeveralTokens:
    async def test_is_read_to_its_end(self) -> None:
        reply = await think("ab<|im_start|>", "answer", "\n4<|im_end|>", family=S1)
        assert reply.written == "ab<|im_start|>answer\n4<|im_end|>"
        assert (reply.reasoning, reply.content) == ("ab", "4")

    async def test_is_dropped_whole(self) -> None:
        calls = "a<|im_start|>", "answer", "b<|im_start|>", "answer", "4<|im_end|>"
        reply = await think(*calls, family=S1, waits=1)
        assert reply.written == "aWaitb<|im_start|>answer4<|im_end|>"
        assert reply.final.usage.discarded == 2

    async def test_a_mistaken_beginning_is_put_back(self) -> None:
        calls = "a<|im_start|>", "b", "c<|im_start|>", "answer", "4<|im_end|>"
        reply = await think(*calls, family=S1)
        assert reply.reasoning == "a<|im_start|>bc"
        assert reply.final.usage.discarded == 0

    async def test_a_mistaken_beginning_counts(self) -> None:
        reply = await think("a<|im_start|>", "b", "cd", "4<|im_end|>", family=S1, budget_tokens=4)
        assert reply.reasoning == "a<|im_start|>bc"
        assert reply.final.usage.reasoning == 4

    async def test_a_beginning_may_follow_a_mistaken_one(self) -> None:
        calls = "a<|im_start|>", "<|im_start|>", "answer", "4<|im_end|>"
        reply = await think(*calls, family=S1)
        assert reply.written == "a<|im_start|><|im_start|>answer4<|im_end|>"
        assert reply.reasoning == "a<|im_start|>"

    async def test_the_turn_may_end_after_a_mistaken_beginning(self) -> None:
        calls = "a<|im_start|>", "<|im_end|>", "4<|im_end|>"
        reply = await think(*calls, family=S1)
        assert reply.written == "a<|im_start|>\n<|im_start|>answer\n4<|im_end|>"

    async def test_may_begin_on_the_last_token_of_the_budget(self) -> None:
        calls = "a<|im_start|>", "answer", "4<|im_end|>"
        reply = await think(*calls, family=S1, budget_tokens=2)
        assert reply.reasoning == "a"
        assert reply.thinking.end == "natural"

    async def test_a_mistake_may_fill_the_budget(self) -> None:
        calls = "a<|im_start|>", "b", " 4<|im_end|>"
        reply = await think(*calls, family=S1, budget_tokens=2, answer_prefix="")
        assert reply.reasoning == "a<|im_start|>"
        assert reply.thinking.end == "budget"

    async def test_a_marker_after_a_mistake_that_fills_the_budget_comes_too_late(self) -> None:
        calls = "a<|im_start|>", "<|im_start|>", " 4<|im_end|>"
        reply = await think(*calls, family=S1, budget_tokens=2)
        assert reply.reasoning == "a<|im_start|>"
        assert reply.thinking.end == "budget"

    async def test_endless_beginnings_end_at_the_budget(self) -> None:
        start = S1.markers.end[0]
        engine = ScriptedEngine(S1, lambda *_: repeat(start))
        policy = budget(S1, budget_tokens=4)
        async with asyncio.timeout(1):
            reply = await ask(policy, engine, S1, Sampling(30))
        assert reply.reasoning == "<|im_start|>" * 4
        assert reply.thinking.end == "budget"


class TestSoftWindow:
    @pytest.mark.parametrize(
        ("window", "reasoning"),
        [
            ("g. hi", "abcdefg."),
            ('g?" h', 'abcdefg?"'),
            ("g\nhij", "abcdefg\n"),
            ("g.5hi", "abcdefg.5h"),
            ("ghi. ", "abcdefghi."),
            ("ghijk", "abcdefghij"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 3, 9])
    async def test_a_thought_ends_at_a_boundary(
        self, window: str, reasoning: str, size: int
    ) -> None:
        reply = await think(
            "abcdef.", window, "4<|end|>", budget_tokens=10, soft_window=4, sizes=(size,)
        )
        assert reply.reasoning == reasoning
        assert asked(reply)[:2] == [6, 4]
        assert reply.thinking.end == "budget"
        usage = reply.final.usage
        assert usage.completion == usage.generated - usage.discarded + usage.injected

    async def test_what_comes_after_the_boundary_is_not_waited_for(self) -> None:
        reply = await think("abcdef", "g\nhi", "4<|end|>", budget_tokens=10, soft_window=4)
        assert [call.aborted for call in reply.calls] == [False, True, False]
        assert reply.final.usage.generated == 6 + 2 + 2

    async def test_the_model_may_end_within_it(self) -> None:
        reply = await think("abcdef", "g</think>", "4<|end|>", budget_tokens=10, soft_window=4)
        assert reply.written == "abcdefg</think>4<|end|>"
        assert reply.thinking.end == "natural"

    async def test_an_end_within_it_may_be_replaced(self) -> None:
        calls = "abcd", "e</think>", "fghi", "4<|end|>"
        reply = await think(*calls, budget_tokens=12, soft_window=8, waits=1)
        assert reply.written == "abcdeWaitfgh\n</think>\n4<|end|>"
        assert asked(reply)[:3] == [4, 8, 3]

    async def test_a_mistaken_beginning_within_it_is_put_back(self) -> None:
        calls = "abcd", "e<|im_start|>", "f", "g. h", "4<|im_end|>"
        reply = await think(*calls, family=S1, budget_tokens=11, soft_window=7)
        assert reply.reasoning == "abcde<|im_start|>fg."

    async def test_last_words_come_after_it(self) -> None:
        reply = await think(
            "abcd", "e. f", "4<|end|>", budget_tokens=12, soft_window=4, end_text=" OK."
        )
        assert reply.reasoning == "abcde. OK."


class TestMaxTokens:
    async def test_an_unbounded_thought_leaves_the_reserve(self) -> None:
        reply = await think("a" * 20, "4" * 20, max_tokens=20, reserve=8)
        assert reply.written == "a" * 9 + "\n</think>\n" + "4" * 8
        assert reply.final.finish == "length"
        assert reply.thinking.end == "budget"
        assert reply.thinking.budget_tokens == 9

    @pytest.mark.parametrize("family", [BIDE, S1])
    @pytest.mark.parametrize("budget_tokens", [None, 0, 1, 50])
    @pytest.mark.parametrize("spare", [0, 1, 5])
    async def test_content_is_never_empty(
        self, family: Family, budget_tokens: int | None, spare: int
    ) -> None:
        policy = budget(family, budget_tokens=budget_tokens)
        engine = ScriptedEngine(family, lambda *_: repeat(ord("a")))
        max_tokens = policy.overhead + spare
        reply = await ask(policy, engine, family, Sampling(max_tokens))
        assert reply.content
        assert len(reply.final.token_ids) == max_tokens


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("wait", {"wait": ()}),
        ("wait", {"wait": ("Wait", "")}),
        ("min_tokens", {"min_tokens": 5, "budget_tokens": 4}),
        ("soft_window", {"soft_window": 5, "budget_tokens": 4}),
        ("end_text", {"end_text": " OK.", "budget_tokens": 3}),
    ],
)
def test_a_contradiction_names_its_field(field: str, config: dict[str, Any]) -> None:
    with pytest.raises(BudgetError) as caught:
        budget(**config)
    assert caught.value.field == field


class TestTheClientLeaves:
    @pytest.mark.parametrize("calls", [("abc</think>",), ("</think>", "456<|end|>")])
    async def test_between_two_events(self, calls: tuple[str, ...]) -> None:
        engine = ScriptedEngine(BIDE, spoken(BIDE.codec, *calls))
        async with aclosing(budget().run(engine, (1,), Sampling(20))) as events:
            await anext(events)
        assert len(engine.calls) == len(calls)
        assert engine.calls[-1].aborted
        assert len(engine.calls[-1].produced) == 1

    async def test_while_the_engine_is_at_work(self) -> None:
        engine = ScriptedEngine(BIDE, spoken(BIDE.codec, "abc</think>"), stalls=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ask(budget(), engine, BIDE, Sampling(20))
        assert [call.aborted for call in engine.calls] == [True]
