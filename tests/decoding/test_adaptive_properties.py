"""What holds for every model, every config and every way the engine may cut its chunks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from decoding.adaptive import Adaptive, AdaptiveConfig
from decoding.answers import same
from decoding.budget import Budget, BudgetConfig
from decoding.certainty import needed
from decoding.engine import Policy
from decoding.types import Sampling
from tests.scripted import BIDE, S1, Call, Family, Reply, ScriptedEngine, ask, hashed

PROMPT = (1, 2, 3)
NEARLY_ONE = 1 - 2**-52


@dataclass(frozen=True)
class Case:
    """A model, a request to it, and the way its engine answers."""

    family: Family
    alphabet: list[int]
    salt: int
    config: AdaptiveConfig
    spare: int
    reserve: int
    seed: int | None = None
    sizes: Sequence[int] = field(default=(1,))

    @property
    def policy(self) -> Adaptive:
        return Adaptive(self.config, self.family.markers, self.family.codec, self.reserve)

    @property
    def max_tokens(self) -> int:
        return self.policy.overhead + self.spare

    @property
    def end_text(self) -> int:
        return len(self.family.codec.encode(self.config.budget.end_text))

    def reply(self) -> Reply:
        return self._reply(self.policy)

    def plain(self, **changes: int) -> Reply:
        """What the budget alone gives."""
        config = replace(self.config.budget, **changes)
        return self._reply(Budget(config, self.family.markers, self.family.codec, self.reserve))

    def _reply(self, policy: Policy) -> Reply:
        engine = ScriptedEngine(self.family, hashed(self.alphabet, self.salt), sizes=self.sizes)
        sampling = Sampling(self.max_tokens, seed=self.seed)
        return asyncio.run(ask(policy, engine, self.family, sampling, PROMPT))


@st.composite
def configs(draw: st.DrawFn) -> AdaptiveConfig:
    cap = draw(st.none() | st.integers(0, 60))
    most = 20 if cap is None else cap
    budget = BudgetConfig(
        budget_tokens=cap,
        min_tokens=draw(st.just(0) | st.integers(0, most)),
        waits=draw(st.just(0) | st.integers(1, 3)),
        end_text=draw(st.just("") | st.text("ok.", max_size=min(most, 4))),
        answer_prefix=draw(st.none() | st.sampled_from(["", "So"])),
        soft_window=draw(st.just(0) | st.integers(0, most)),
    )
    confidence = draw(st.sampled_from([0.1, 0.5, 0.75, 0.9]))
    return AdaptiveConfig(budget, confidence, draw(st.integers(1, 6)))


@st.composite
def any_cases(draw: st.DrawFn) -> Case:
    family = draw(st.sampled_from([BIDE, S1]))
    codec, marks = family.codec, family.markers
    end = [marks.end[0], *marks.turn_ends]
    thoughts = draw(st.lists(st.sampled_from([*codec.encode("45a. "), *end]), max_size=4))
    return Case(
        family=family,
        alphabet=[*codec.encode("44\n"), *thoughts],
        salt=draw(st.integers(0, 1000)),
        config=draw(configs()),
        spare=draw(st.integers(0, 20) | st.integers(20, 80)),
        reserve=draw(st.integers(0, 20)),
        seed=draw(st.none() | st.integers(0, 2**32 - 1)),
        sizes=draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)),
    )


def steady() -> st.SearchStrategy[Case]:
    """Models that seldom say anything but 4 and its like, and are asked often enough."""

    def calm(case: Case) -> Case:
        budget = replace(case.config.budget, budget_tokens=None, min_tokens=case.salt % 20)
        config = replace(case.config, budget=budget, confidence=0.5)
        alphabet = [*case.family.codec.encode("4\n44\n45"), *case.alphabet[-1:]]
        return replace(case, config=config, spare=60, alphabet=alphabet)

    return any_cases().map(calm)


def cases() -> st.SearchStrategy[Case]:
    return any_cases() | steady()


def is_probe(call: Call) -> bool:
    return call.sampling.aside


@given(cases())
def test_every_token_is_accounted_for(case: Case) -> None:
    reply = case.reply()
    usage, thinking = reply.final.usage, reply.thinking
    assert usage.completion == len(reply.final.token_ids)
    assert usage.completion == usage.generated - usage.discarded + usage.injected
    assert usage.generated == sum(len(call.produced) for call in reply.calls)
    assert usage.reasoning == thinking.tokens == len(reply.token_ids("reasoning"))
    probes = [len(call.produced) for call in reply.calls if is_probe(call)]
    assert [probe.tokens for probe in thinking.probes] == probes
    assert usage.discarded >= sum(probes)


@given(cases())
def test_thinking_never_passes_its_cap_nor_ends_before_its_minimum(case: Case) -> None:
    thinking, budget = case.reply().thinking, case.config.budget
    assert thinking.tokens <= case.spare
    assert budget.budget_tokens is None or thinking.tokens <= budget.budget_tokens
    if thinking.end == "certain":
        assert thinking.tokens - case.end_text >= budget.min_tokens


@given(cases())
def test_a_certain_end_is_where_enough_probes_agree(case: Case) -> None:
    thinking, enough = case.reply().thinking, needed(case.config.confidence)
    if thinking.end != "certain":
        return
    last = thinking.probes[-enough:]
    assert len(last) == enough
    assert last[-1].position == thinking.tokens - case.end_text
    assert all(p.answer and last[0].answer and same(p.answer, last[0].answer) for p in last)


@given(cases())
def test_a_thought_that_never_was_certain_is_that_of_the_budget_alone(case: Case) -> None:
    case = replace(case, seed=None)
    reply, plain = case.reply(), case.plain()
    if reply.thinking.end == "certain":
        ids = reply.token_ids("reasoning")
        thought = ids[: len(ids) - case.end_text]
        assert plain.token_ids("reasoning")[: len(thought)] == thought
    else:
        assert reply.final.token_ids == plain.final.token_ids
        assert replace(reply.thinking, probes=()) == plain.thinking


@given(steady())
def test_a_certain_end_is_a_cut_there(case: Case) -> None:
    """So nothing of the probes is left in the completion, nor in how the answer is drawn."""
    budget = replace(case.config.budget, min_tokens=0, waits=0, soft_window=0)
    case = replace(case, seed=None, config=replace(case.config, budget=budget))
    reply = case.reply()
    assume(reply.thinking.end == "certain")
    cut = case.plain(budget_tokens=reply.thinking.tokens)
    assert reply.final.token_ids == cut.final.token_ids
    assert (reply.reasoning, reply.content) == (cut.reasoning, cut.content)
    *_, probe = filter(is_probe, reply.calls)
    assert reply.calls[-1].produced[: len(probe.produced)] == probe.produced


@given(cases())
def test_confidence_near_one_never_ends_a_thought(case: Case) -> None:
    case = replace(case, seed=None, config=replace(case.config, confidence=NEARLY_ONE))
    assert case.reply().final.token_ids == case.plain().final.token_ids


@given(cases(), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_how_fast_the_engine_is_changes_nothing(case: Case, sizes: list[int]) -> None:
    """But for what a soft window throws away, which came with the boundary."""
    budget = replace(case.config.budget, soft_window=0)
    case = replace(case, config=replace(case.config, budget=budget))
    assert case.reply().final == replace(case, sizes=sizes).reply().final


@given(cases(), st.integers(0, 2**32 - 1))
def test_a_seed_gives_every_call_of_the_trunk_its_own(case: Case, seed: int) -> None:
    reply = replace(case, seed=seed).reply()
    seeds = [call.sampling.seed for call in reply.calls if not is_probe(call)]
    assert seeds[0] == seed
    assert len(set(seeds)) == len(seeds)


@given(cases())
def test_every_call_stays_within_the_completion(case: Case) -> None:
    reply = case.reply()
    for call in reply.calls:
        so_far = len(call.token_ids) - len(PROMPT)
        assert 1 <= call.sampling.max_tokens <= case.max_tokens - so_far
    assert len(reply.final.token_ids) <= case.max_tokens


@given(cases(), st.integers(0, 40))
def test_a_client_that_leaves_aborts_all_that_runs(case: Case, events: int) -> None:
    engine = ScriptedEngine(case.family, hashed(case.alphabet, case.salt), sizes=case.sizes)

    async def leave() -> int:
        run = case.policy.run(engine, PROMPT, Sampling(case.max_tokens))
        for _ in range(events):
            if await anext(run, None) is None:
                break
        await run.aclose()
        made = len(engine.calls)
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        return made

    assert asyncio.run(leave()) == len(engine.calls)
