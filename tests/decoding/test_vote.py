"""Votes over scripted samples. A sample's text depends on its seed, so that samples differ."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding.answers import Answers
from decoding.budget import Budget, BudgetConfig
from decoding.direct import Direct
from decoding.hermes import HermesReader
from decoding.tool_calls import ToolCalling
from decoding.types import Ballot, Chunk, Delta, Election, Event, Final, Sampling
from decoding.vote import Vote, VoteConfig, VoteError
from tests.scripted import BIDE, ScriptedEngine

SAMPLING = Sampling(100, seed=7)


class Drawn:
    """An engine whose n-th sample says the n-th text; `confidence` is that of all its tokens.

    It tells samples apart by their seeds, in the order in which they first come.
    """

    def __init__(self, *texts: str, confidences: Sequence[float] = ()) -> None:
        self._texts, self._confidences = texts, confidences
        self._numbers: dict[int | None, int] = {}
        self.seeds: list[int | None] = []
        self.running = 0
        self.most_at_once = 0
        self.generated = 0

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        self.seeds.append(sampling.seed)
        number = self._numbers.setdefault(sampling.seed, len(self._numbers))
        ids = BIDE.codec.encode(self._texts[number])
        sure = self._confidences[number] if self._confidences else 1.0
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            for token in ids:
                await asyncio.sleep(0)
                self.generated += 1
                yield Chunk((token,), BIDE.codec.decode([token]), None, None, (sure,))
            yield Chunk((), "", "stop")
        finally:
            self.running -= 1


def a_vote(answer: str = "auto", **config: Any) -> Vote:
    reader = Answers(answer)  # type: ignore[arg-type]
    return Vote(Direct(BIDE.turn_ends), VoteConfig(**config), reader)


async def events_of(vote: Vote, engine: Any, sampling: Sampling = SAMPLING) -> list[Event]:
    return [event async for event in vote.run(engine, (1, 2, 3), sampling)]


async def result_of(
    vote: Vote, engine: Any, sampling: Sampling = SAMPLING
) -> tuple[str, Final, Election]:
    """The winner's text, its last event and its vote."""
    events = await events_of(vote, engine, sampling)
    final = events[-1]
    assert isinstance(final, Final)
    assert final.vote is not None
    return "".join(e.text for e in events if isinstance(e, Delta)), final, final.vote


class TestOutcome:
    async def test_the_commonest_answer_wins_and_its_whole_message_is_given(self) -> None:
        texts = ("It is 3.", "I say 5.", "So 5.0!", "no idea")
        text, final, vote = await result_of(a_vote(n=4, stop="never"), Drawn(*texts))
        assert text == "I say 5."
        assert vote.answer == "5"
        assert list(vote.counts.values()) == [2, 1]
        assert list(vote.weights.values()) == [2.0, 1.0]
        assert (vote.started, vote.finished, vote.aborted, vote.abstained) == (4, 4, 0, 1)
        assert vote.stopped_by == "all"
        assert vote.tokens == final.usage.generated == sum(map(len, texts))

    async def test_ballots_come_as_samples_finish(self) -> None:
        events = await events_of(a_vote(n=3, stop="never"), Drawn("a long way to 1", "2", "none"))
        ballots = [event for event in events if isinstance(event, Ballot)]
        assert [(b.sample, b.answer) for b in ballots] == [(1, "2"), (2, None), (0, "1")]
        assert [b.generated for b in ballots] == [1, 4, 15]

    async def test_of_equals_the_earliest_sample_wins_in_whatever_order_they_finish(self) -> None:
        _, _, vote = await result_of(a_vote(n=2, stop="never"), Drawn("a long way to 1", "2"))
        assert vote.answer == "1"

    async def test_if_all_abstain_the_first_sample_is_given(self) -> None:
        text, _, vote = await result_of(a_vote(n=2, stop="never"), Drawn("none at all", "nothing"))
        assert (vote.answer, vote.counts, vote.abstained) == (None, {}, 2)
        assert text == "none at all"

    async def test_calls_are_compared_with_calls_alone(self) -> None:
        call = '<tool_call>{{"name": "f", "arguments": {}}}</tool_call>'
        written = '[{"name": "f", "arguments": {"a": 1.00}}]'
        engine = Drawn(written, call.format('{"a": 1}'), call.format('{"a":1.0}'))
        vote = a_vote("json", n=3, stop="never")
        calling = replace(vote, inner=ToolCalling(vote.inner, HermesReader))
        text, final, election = await result_of(calling, engine)
        assert (text, final.finish) == ("", "tool_calls")
        assert election.counts == {'[{"name": "f", "arguments": {"a": 1}}]': 2, written: 1}

    async def test_one_choice_a_different_answer(self) -> None:
        engine = Drawn("1", "2", "2", "3", "2", "3")
        events = await events_of(a_vote(n=6, stop="never", choices=2), engine)
        finals = [event for event in events if isinstance(event, Final)]
        assert [(f.choice, f.vote.answer) for f in finals if f.vote] == [(0, "2"), (1, "3")]
        deltas = [(e.choice, e.text) for e in events if isinstance(e, Delta)]
        assert deltas == [(0, "2"), (1, "3")]
        assert sum(final.usage.completion for final in finals) == 6

    async def test_samples_have_seeds_of_their_own_that_come_of_the_request(self) -> None:
        one, again, other = Drawn(*"1234"), Drawn(*"1234"), Drawn(*"1234")
        await events_of(a_vote(n=4, stop="never"), one)
        await events_of(a_vote(n=4, stop="never"), again)
        await events_of(a_vote(n=4, stop="never"), other, replace(SAMPLING, seed=8))
        assert one.seeds[0] == 7
        assert one.seeds == again.seeds
        assert len({*one.seeds, *other.seeds}) == 8


class TestStop:
    async def test_an_unbeatable_majority_aborts_what_is_in_flight(self) -> None:
        slow = "a very long way indeed to 9"
        engine = Drawn("1", "1", "1", slow, slow)
        _, final, vote = await result_of(a_vote(n=5, stop="unbeatable", max_concurrency=5), engine)
        assert (vote.answer, vote.stopped_by) == ("1", "unbeatable")
        assert (vote.started, vote.finished, vote.aborted) == (5, 3, 2)
        assert final.usage.completion == engine.generated < 3 + 2 * len(slow)
        assert vote.tokens == final.usage.generated == engine.generated
        assert engine.running == 0

    async def test_by_default_no_more_start_than_could_decide(self) -> None:
        engine = Drawn("1", "1", "1", "2", "2")
        _, _, vote = await result_of(a_vote(n=5, stop="unbeatable"), engine)
        assert (vote.answer, vote.started, vote.aborted) == ("1", 3, 0)

    async def test_confidence_stops_a_unanimous_vote_after_four(self) -> None:
        engine = Drawn(*"1111111111111111")
        _, _, vote = await result_of(a_vote(n=16, stop="confident"), engine)
        assert (vote.started, vote.stopped_by) == (4, "confident")

    async def test_no_more_run_at_once_than_allowed(self) -> None:
        engine = Drawn(*"12345678")
        await events_of(a_vote(n=8, stop="never", max_concurrency=3), engine)
        assert engine.most_at_once == 3

    async def test_a_caller_who_leaves_aborts_all_samples(self) -> None:
        engine = Drawn("1", *["a long way to 2"] * 3)
        async with aclosing(a_vote(n=4, stop="never").run(engine, (1,), SAMPLING)) as events:
            assert isinstance(await anext(events), Ballot)
            assert engine.running == 3
        assert engine.running == 0

    async def test_a_sample_that_fails_fails_the_vote_and_aborts_the_others(self) -> None:
        engine = Drawn("1", "a long way to 2")
        with pytest.raises(IndexError):
            await events_of(a_vote(n=3, stop="never"), engine)
        assert engine.running == 0


class TestConfidence:
    async def test_votes_weigh_what_their_traces_are_sure_of(self) -> None:
        engine = Drawn("1", "2", "2", confidences=(9.0, 2.0, 3.0))
        _, _, vote = await result_of(a_vote(n=3, stop="never", weight="confidence"), engine)
        assert vote.answer == "1"
        assert vote.weights == {"1": 9.0, "2": 5.0}
        assert vote.counts == {"1": 1, "2": 2}

    async def test_hopeless_samples_are_stopped_while_they_run(self) -> None:
        slow = "a very long way indeed to 9"
        engine = Drawn("1", "1", slow, confidences=(9.0, 8.0, 2.0))
        vote = a_vote(n=3, stop="never", weight="confidence", keep=0.5, min_samples=2, window=4)
        _, _, election = await result_of(vote, engine)
        assert (election.finished, election.aborted, election.filtered) == (2, 1, 1)
        assert election.counts == {"1": 2}
        assert engine.generated < 2 + len(slow)
        assert election.tokens == engine.generated


class Prefers:
    """A verifier that values the replies it is told of, and nothing else."""

    def __init__(self, **worth: float) -> None:
        self._worth = worth

    async def score(self, content: str) -> float:
        return self._worth.get(content, 0.0)


async def test_a_verifier_weighs_the_samples() -> None:
    config = VoteConfig(3, weight="verifier", stop="never")
    vote = Vote(Direct(BIDE.turn_ends), config, Answers("text"), Prefers(good=0.9, poor=0.2))
    text, _, election = await result_of(vote, Drawn("poor", "good", "poor"))
    assert text == "good"
    assert election.weights == {"good": 0.9, "poor": 0.4}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"n": 4, "weight": "confidence", "stop": "unbeatable"}, "stop"),
        ({"n": 4, "keep": 0.9}, "keep"),
        ({"n": 2, "stop": "never", "choices": 3}, "n"),
        ({"n": 4, "choices": 2}, "stop"),
        ({"n": 3, "weight": "confidence", "stop": "never", "keep": 0.5}, "keep"),
    ],
)
def test_a_vote_that_contradicts_itself_is_refused(config: dict[str, Any], field: str) -> None:
    with pytest.raises(VoteError) as refused:
        VoteConfig(**config)
    assert refused.value.field == field


def thoughtful(token_ids: tuple[int, ...], seed: int | None) -> Iterator[int]:
    """Thinks, then answers with a digit that its seed decides."""
    (end,) = BIDE.codec.encode("</think>")
    if end in token_ids:
        return iter(BIDE.codec.encode(f"\nThe answer is {(seed or 0) % 3}.<|end|>"))
    return iter(BIDE.codec.encode("x" * (1 + (seed or 0) % 50) + "</think>"))


@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 12),
    stop=st.sampled_from(["never", "unbeatable", "confident"]),
    waits=st.integers(0, 2),
    cap=st.none() | st.integers(1, 60),
    at_once=st.none() | st.integers(1, 12),
)
async def test_all_that_is_generated_is_accounted_for(
    seed: int, n: int, stop: Any, waits: int, cap: int | None, at_once: int | None
) -> None:
    """Votes over budget-forced samples, cut short or not."""
    inner = Budget(BudgetConfig(cap, waits=waits), BIDE.markers, BIDE.codec)
    config = VoteConfig(n, stop=stop, max_concurrency=at_once)
    engine = ScriptedEngine(BIDE, thoughtful)
    vote = Vote(inner, config, Answers())
    *_, final = await events_of(vote, engine, Sampling(400, seed=seed))
    assert isinstance(final, Final)
    usage, election = final.usage, final.vote
    assert election is not None
    produced = sum(len(call.produced) for call in engine.calls)
    assert usage.generated == election.tokens == produced
    assert usage.completion == usage.generated - usage.discarded + usage.injected
    assert election.started == election.finished + election.aborted <= n
    assert election.finished == sum(election.counts.values()) + election.abstained
    assert (election.stopped_by == "all") == (election.finished == n)


@given(seed=st.integers(0, 2**31), n=st.integers(1, 16), at_once=st.none() | st.integers(1, 16))
async def test_unbeatable_has_the_outcome_of_never(seed: int, n: int, at_once: int | None) -> None:
    inner = Budget(BudgetConfig(), BIDE.markers, BIDE.codec)
    outcomes = []
    for stop in ("never", "unbeatable"):
        config = VoteConfig(n, stop=stop, max_concurrency=at_once)  # type: ignore[arg-type]
        vote = Vote(inner, config, Answers())
        engine = ScriptedEngine(BIDE, thoughtful)
        _, _, election = await result_of(vote, engine, Sampling(100, seed=seed))
        outcomes.append(election.answer)
    assert outcomes[0] == outcomes[1]
