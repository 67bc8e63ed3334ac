import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any

import pytest

from decoding.adaptive import PROBE_TOKENS, Adaptive, AdaptiveConfig
from decoding.budget import BudgetConfig, BudgetError
from decoding.types import Chunk, Delta, Probe, Sampling, Usage
from tests.scripted import BIDE, S1, Family, Model, Reply, ScriptedEngine, ask

PROMPT = (1, 2, 3)
LONG = "a" * 99


def adaptive(
    family: Family = BIDE, confidence: float = 0.75, probe_every: int = 4, **budget: Any
) -> Adaptive:
    """Three equal answers end its thought."""
    config = AdaptiveConfig(BudgetConfig(**budget), confidence, probe_every)
    return Adaptive(config, family.markers, family.codec)


def reasoner(thought: str, answers: Mapping[int, str], family: Family = BIDE) -> Model:
    """Thinks in characters; when n of them are followed by an end it says answers[n], or 0."""
    marker, (turn_end, *_) = family.markers.profile.end, sorted(family.turn_ends)

    def model(token_ids: tuple[int, ...], seed: int | None) -> Iterator[int]:
        text = family.codec.decode(token_ids[len(PROMPT) :])
        before, closed, _ = text.partition(marker)
        so_far = len(family.codec.encode(before.removesuffix("\n")))
        if closed:
            return iter([*family.codec.encode(answers.get(so_far, "0")), turn_end])
        return islice(family.codec.encode(thought), so_far, None)

    return model


async def think(
    thought: str,
    answers: Mapping[int, str],
    *,
    family: Family = BIDE,
    sampling: Sampling | None = None,
    **config: Any,
) -> Reply:
    engine = ScriptedEngine(family, reasoner(thought, answers, family))
    policy = adaptive(family, **config)
    return await ask(policy, engine, family, sampling or Sampling(100), PROMPT)


def probed(reply: Reply) -> list[int]:
    return [probe.position for probe in reply.thinking.probes]


class TestACertainEnd:
    async def test_comes_when_the_answer_no_longer_changes(self) -> None:
        answers = {4: "7", 8: "4\nor so", 12: "4", 16: "It is 4"}
        reply = await think(LONG, answers)
        assert reply.written == "a" * 16 + "\n</think>\nIt is 4<|end|>"
        assert (reply.reasoning, reply.content) == ("a" * 16, "It is 4")
        thinking = reply.thinking
        assert (thinking.tokens, thinking.waits, thinking.end) == (16, 0, "certain")
        assert thinking.budget_tokens is None
        assert thinking.probes == (
            Probe(4, "7", 2), Probe(8, "4", 2), Probe(12, "4", 2), Probe(16, "4", 8)
        )  # fmt: skip
        probes = 2 + 2 + 2 + 8
        assert reply.final.usage == Usage(
            3, 16 + 3 + 8, 16, injected=3, generated=16 + probes + 8, discarded=probes
        )

    async def test_answers_are_compared_by_their_value(self) -> None:
        answers = {4: "1,000", 8: "1000", 12: "1000.0"}
        assert (await think(LONG, answers)).thinking.tokens == 12

    @pytest.mark.parametrize(
        "answer",
        ["I do not know", "Wait, 4", "4, hmm", "4, but", "Perhaps 4", "4" * 99],
        ids=["none", "wait", "hmm", "but", "perhaps", "unfinished"],
    )
    async def test_a_probe_without_an_answer_or_in_doubt_agrees_with_none(
        self, answer: str
    ) -> None:
        answers = dict.fromkeys([4, 8, 16, 20, 24], "4") | {12: answer}
        reply = await think(LONG, answers)
        assert reply.thinking.tokens == 24
        assert reply.thinking.probes[2].answer is None
        assert reply.thinking.probes[2].tokens == min(len(answer) + 1, PROBE_TOKENS)

    async def test_a_word_that_has_a_doubt_in_it_is_none(self) -> None:
        answers = dict.fromkeys([4, 8, 12], "The answer is butter")
        assert (await think(LONG, answers)).thinking.probes[2].answer == "butter"

    async def test_more_confidence_takes_more_probes(self) -> None:
        assert (await think(LONG, {}, confidence=0.5)).thinking.tokens == 8
        assert (await think(LONG, {}, confidence=0.9)).thinking.tokens == 20

    async def test_last_words_are_said_to_probes_too(self) -> None:
        answers = dict.fromkeys(["a" * n + " OK." for n in (4, 8, 12)], "4")
        ended = {len(before): answer for before, answer in answers.items()}
        reply = await think(LONG, ended, end_text=" OK.")
        assert reply.reasoning == "a" * 12 + " OK."
        assert reply.thinking.tokens == 16
        assert [probe.answer for probe in reply.thinking.probes] == ["4"] * 3
        assert Delta("reasoning", " OK.", (32, 79, 75, 46), injected=True) in reply.deltas

    @pytest.mark.parametrize("prefix", [None, "Wait! The answer is"])
    async def test_an_answer_prefix_is_of_the_answer_and_raises_no_doubt(
        self, prefix: str | None
    ) -> None:
        answers = dict.fromkeys([4, 8, 12], " 4")
        reply = await think(LONG, answers, family=S1, answer_prefix=prefix)
        said = prefix or "Final Answer:"
        assert reply.content == f"{said} 4"
        assert reply.thinking.end == "certain"
        call = next(call for call in reply.calls if call.sampling.aside)
        assert S1.codec.decode(call.token_ids).endswith(f"aaaa\n<|im_start|>answer\n{said}")


class TestOtherEnds:
    async def test_the_model_ends_its_thought_itself(self) -> None:
        reply = await think("a" * 9 + "</think>", {4: "7", 8: "8", 9: "9"})
        assert reply.written == "a" * 9 + "</think>9<|end|>"
        assert reply.thinking.end == "natural"
        assert probed(reply) == [4, 8]

    async def test_the_budget(self) -> None:
        answers = {4: "1", 8: "2", 12: "3", 14: "4"}
        reply = await think(LONG, answers, budget_tokens=14, confidence=0.5)
        assert reply.written == "a" * 14 + "\n</think>\n4<|end|>"
        assert (reply.thinking.end, reply.thinking.budget_tokens) == ("budget", 14)

    async def test_an_end_before_the_minimum_is_put_off(self) -> None:
        answers = {10: "4"}
        reply = await think("aa</think>" + "a" * 8, answers, min_tokens=10, budget_tokens=10)
        assert reply.reasoning.startswith("aaWait")
        assert reply.thinking.waits == 1

    async def test_a_wait_is_made_while_the_answer_is_not_certain(self) -> None:
        """Of the two, the first is made, and the answers agree before the second is due."""
        thought = "aaaaaa</think>" + "a" * 9 + "</think>"
        answers = {4: "7", 12: "8", 16: "8"}
        reply = await think(thought, answers, waits=2, confidence=0.5)
        assert reply.reasoning == "aaaaaaWait" + "a" * 6
        assert (reply.thinking.waits, reply.thinking.end) == (1, "certain")

    async def test_none_is_certain_before_the_minimum(self) -> None:
        """A wait text has moved the probes, so that two of them agree before it."""
        thought = "aaaaaaa</think>" + "a" * 40
        config: Any = {"confidence": 0.5, "probe_every": 8, "min_tokens": 19}
        reply = await think(thought, {}, **config)
        assert probed(reply) == [11, 16, 24]
        assert (reply.thinking.tokens, reply.thinking.end) == (24, "certain")


class TestProbesThatCannotMatter:
    @pytest.mark.parametrize(
        ("least", "at"), [(0, [4, 8, 12]), (13, [8, 12, 16]), (12, [4, 8, 12])]
    )
    async def test_those_long_before_the_minimum(self, least: int, at: list[int]) -> None:
        reply = await think(LONG, {}, min_tokens=least)
        assert probed(reply) == at
        assert reply.thinking.tokens == at[-1] >= least

    @pytest.mark.parametrize(("cap", "at"), [(12, []), (13, [4, 8, 12])])
    async def test_those_too_near_the_cap(self, cap: int, at: list[int]) -> None:
        reply = await think(LONG, {cap: "4"}, budget_tokens=cap)
        assert probed(reply) == at

    async def test_those_after_a_change_too_near_the_cap(self) -> None:
        answers = {4: "1", 8: "2", 16: "4"}
        assert probed(await think(LONG, answers, budget_tokens=16)) == [4, 8]


class TestCalls:
    async def test_probes_are_greedy_and_short_and_the_thought_is_as_asked(self) -> None:
        asked = Sampling(100, temperature=0.7, top_p=0.9, seed=5, stop=(";",))
        reply = await think(LONG, dict.fromkeys([4, 8, 12], "4;"), sampling=asked)
        probes = [c.sampling for c in reply.calls if c.sampling.aside]
        rest = [c.sampling for c in reply.calls if not c.sampling.aside]
        assert len(probes) == 3
        for each in probes:
            assert (each.temperature, each.max_tokens) == (0, PROBE_TOKENS)
            assert (each.stop, set(each.stop_token_ids)) == (("\n", ";"), set(BIDE.turn_ends))
        assert {each.temperature for each in rest} == {0.7}
        assert len({each.seed for each in rest}) == len(rest)

    async def test_probes_stay_within_max_tokens(self) -> None:
        reply = await think(LONG, {}, sampling=Sampling(20))
        for call in reply.calls:
            assert len(call.token_ids) - len(PROMPT) + call.sampling.max_tokens <= 20

    async def test_probes_are_never_said(self) -> None:
        reply = await think(LONG, dict.fromkeys([4, 8, 12], "4"))
        said = "".join(delta.text for delta in reply.deltas)
        assert said == "a" * 12 + "4"

    async def test_only_a_probe_that_may_end_the_thought_is_waited_for(self) -> None:
        answers = dict.fromkeys([4, 8, 12], "The answer is 4")
        engine = Timeline(BIDE, reasoner(LONG, answers))
        await ask(adaptive(probe_every=4), engine, BIDE, Sampling(100), PROMPT)
        at_4, at_8, at_12 = (n for n, call in enumerate(engine.calls) if call.sampling.aside)
        running = engine.running_when_begun
        beside = [running[at] for at in (at_4, at_8, at_12)]
        assert beside == [{at_4 - 1}, {at_8 - 1}, set()]
        assert engine.calls[at_8 - 1].token_ids == (*PROMPT, *[ord("a")] * 8)
        assert running[at_12 + 1] == set()

    async def test_a_probe_is_settled_beside_the_answer_to_a_thought_that_has_ended(self) -> None:
        thought = "a" * 5 + "</think>"
        reply = await think(thought, {4: "The answer is 4"})
        assert reply.thinking.probes == (Probe(4, "4", 16),)
        usage = reply.final.usage
        assert usage.completion == usage.generated - usage.discarded + usage.injected
        assert usage.generated == sum(len(call.produced) for call in reply.calls)


class Timeline(ScriptedEngine):
    """Remembers which calls were running when each began."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.running_when_begun: list[set[int]] = []
        self._running: set[int] = set()

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        number = len(self.running_when_begun)
        self.running_when_begun.append(set(self._running))
        self._running.add(number)
        async with aclosing(super().generate(token_ids, sampling)) as chunks:
            async for chunk in chunks:
                yield chunk
        self._running.discard(number)


class TestTheClientLeaves:
    async def test_between_two_events(self) -> None:
        engine = ScriptedEngine(BIDE, reasoner(LONG, {4: "The answer is 4"}))
        async with aclosing(adaptive().run(engine, PROMPT, Sampling(100))) as events:
            for _ in range(6):
                await anext(events)
        assert [call.aborted for call in engine.calls] == [False, True, True]

    async def test_while_the_engine_is_at_work(self) -> None:
        engine = ScriptedEngine(BIDE, reasoner(LONG, {}), stalls=True, free=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ask(adaptive(), engine, BIDE, Sampling(100), PROMPT)
        assert [call.aborted for call in engine.calls] == [False, True, True]

    async def test_while_a_probe_is_waited_for(self) -> None:
        engine = ScriptedEngine(BIDE, reasoner(LONG, {}), stalls=True, free=3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ask(adaptive(confidence=0.5), engine, BIDE, Sampling(100), PROMPT)
        assert [call.aborted for call in engine.calls] == [False, False, False, True]


class Failing(ScriptedEngine):
    """Fails in probes alone."""

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        if sampling.aside:
            raise ConnectionError("the engine has stopped")
        async with aclosing(super().generate(token_ids, sampling)) as chunks:
            async for chunk in chunks:
                yield chunk


async def test_a_probe_that_fails_fails_the_request() -> None:
    engine = Failing(BIDE, reasoner(LONG, {}))
    with pytest.raises(ConnectionError):
        await ask(adaptive(), engine, BIDE, Sampling(100), PROMPT)


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("confidence", {"confidence": 0.0}),
        ("confidence", {"confidence": 1.0}),
        ("probe_every", {"probe_every": 0}),
        ("min_tokens", {"min_tokens": 5, "budget_tokens": 4}),
    ],
)
def test_a_contradiction_names_its_field(field: str, config: dict[str, Any]) -> None:
    with pytest.raises(BudgetError) as caught:
        adaptive(**config)
    assert caught.value.field == field
