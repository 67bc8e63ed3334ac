"""What holds for every model, every config and every way the engine may cut its chunks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from decoding.budget import Budget, BudgetConfig
from decoding.types import End, Sampling
from tests.scripted import BIDE, S1, Call, Family, Model, Reply, ScriptedEngine, ask, hashed

PROMPT = (1, 2, 3)
TEXTS = st.text("Wait.\n", min_size=1, max_size=5)


@dataclass(frozen=True)
class Case:
    """A model, a request to it, and the way its engine answers."""

    family: Family
    alphabet: list[int]
    salt: int
    config: BudgetConfig
    spare: int
    reserve: int
    seed: int | None = None
    sizes: Sequence[int] = field(default=(1,))

    @property
    def model(self) -> Model:
        return hashed(self.alphabet, self.salt)

    @property
    def policy(self) -> Budget:
        return Budget(self.config, self.family.markers, self.family.codec, self.reserve)

    @property
    def max_tokens(self) -> int:
        return self.policy.overhead + self.spare

    @property
    def cap(self) -> int:
        if self.config.budget_tokens is None:
            share = max(1, min(self.reserve, self.max_tokens // 2))
            return max(0, self.spare + 1 - share)
        return min(self.spare, self.config.budget_tokens)

    def reply(self) -> Reply:
        engine = ScriptedEngine(self.family, self.model, sizes=self.sizes)
        sampling = Sampling(self.max_tokens, seed=self.seed)
        return asyncio.run(ask(self.policy, engine, self.family, sampling, PROMPT))


@st.composite
def configs(draw: st.DrawFn) -> BudgetConfig:
    cap = draw(st.none() | st.integers(0, 30))
    most = 30 if cap is None else cap
    return BudgetConfig(
        budget_tokens=cap,
        min_tokens=draw(st.integers(0, most)),
        waits=draw(st.integers(0, 4)),
        wait=tuple(draw(st.lists(TEXTS, min_size=1, max_size=3))),
        end_text=draw(st.just("") | st.text("ok.", max_size=min(most, 4) if cap != 0 else 4)),
        answer_prefix=draw(st.none() | st.just("") | TEXTS),
        soft_window=draw(st.just(0) | st.integers(0, most)),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    family = draw(st.sampled_from([BIDE, S1]))
    codec, marks = family.codec, family.markers
    tokens = [*codec.encode("ab. \n"), *marks.end, *marks.end, *marks.turn_ends]
    return Case(
        family=family,
        alphabet=draw(st.lists(st.sampled_from(tokens), min_size=1, max_size=8)),
        salt=draw(st.integers(0, 1000)),
        config=draw(configs()),
        spare=draw(st.integers(0, 50)),
        reserve=draw(st.integers(0, 20)),
        seed=draw(st.none() | st.integers(0, 2**32 - 1)),
        sizes=draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)),
    )


def is_peek(call: Call) -> bool:
    """Whether a call reads one token on, to see if a marker of several tokens is whole."""
    return not call.sampling.stop_token_ids


@given(cases())
def test_thinking_never_passes_its_cap(case: Case) -> None:
    thinking = case.reply().thinking
    assert thinking.tokens <= case.cap
    if thinking.end == "budget":
        assert thinking.budget_tokens == case.cap
        assert thinking.tokens >= case.cap - case.config.soft_window


@given(cases())
def test_a_thought_without_a_soft_window_is_cut_exactly_at_its_cap(case: Case) -> None:
    case = replace(case, config=replace(case.config, soft_window=0))
    thinking = case.reply().thinking
    assert thinking.end == "natural" or thinking.tokens == case.cap


@given(cases(), st.integers(0, 5))
def test_a_model_that_keeps_ending_waits_as_often_as_asked(case: Case, waits: int) -> None:
    config = replace(case.config, budget_tokens=None, min_tokens=0, waits=waits)
    case = replace(case, config=config, spare=300)
    thinking = case.reply().thinking
    assume(thinking.end == "natural")
    assert thinking.waits == waits


@given(cases())
def test_waits_are_injected_in_turn(case: Case) -> None:
    reply = case.reply()
    wait, thinking = case.config.wait, reply.thinking
    injected = [d.text for d in reply.deltas if d.injected and d.phase == "reasoning"]
    assert injected[: thinking.waits] == [wait[n % len(wait)] for n in range(thinking.waits)]
    last_words = injected[thinking.waits :]
    assert last_words in ([], [case.config.end_text])
    assert not last_words or thinking.end == "budget"


@given(cases())
def test_a_natural_end_has_met_its_demands_or_had_no_room_for_a_wait(case: Case) -> None:
    config, thinking = case.config, case.reply().thinking
    assume(thinking.end == "natural")
    met = thinking.waits >= config.waits and thinking.tokens >= config.min_tokens
    longest = max(len(case.family.codec.encode(wait)) for wait in config.wait)
    assert met or thinking.tokens + longest + len(config.end_text) >= case.cap


@given(cases())
def test_every_call_continues_the_completion_so_far(case: Case) -> None:
    reply = case.reply()
    whole = (*PROMPT, *reply.final.token_ids)
    for call in reply.calls:
        assert is_peek(call) or call.token_ids == whole[: len(call.token_ids)]
    for earlier, later in pairwise(reply.calls):
        assert len(later.token_ids) > len(earlier.token_ids) or earlier.produced
        if is_peek(later):
            assert later.token_ids == (*earlier.token_ids, *earlier.produced)


@given(cases())
def test_every_call_asks_for_tokens_that_there_is_room_for(case: Case) -> None:
    reply = case.reply()
    for call in reply.calls:
        so_far = len(call.token_ids) - len(PROMPT)
        assert 1 <= call.sampling.max_tokens <= case.max_tokens - so_far
    assert all(
        len(call.token_ids) - len(PROMPT) + call.sampling.max_tokens <= case.cap
        for call in reply.calls[:-1]
        if not is_peek(call)
    )


@given(cases())
def test_the_answer_always_has_its_room(case: Case) -> None:
    reply = case.reply()
    usage, thinking = reply.final.usage, reply.thinking
    assert len(reply.final.token_ids) <= case.max_tokens
    assert not is_peek(reply.calls[-1])
    if case.config.budget_tokens is None and case.reserve <= case.spare:
        asked = reply.calls[-1].sampling.max_tokens
        assert asked >= min(case.reserve, case.max_tokens // 2) or thinking.tokens == 0
    assert usage.completion > usage.reasoning


@given(cases())
def test_every_token_is_accounted_for(case: Case) -> None:
    reply = case.reply()
    usage, thinking = reply.final.usage, reply.thinking
    assert usage.prompt == len(PROMPT)
    assert usage.completion == len(reply.final.token_ids)
    assert usage.completion == usage.generated - usage.discarded + usage.injected
    assert usage.generated == sum(len(call.produced) for call in reply.calls)
    assert usage.injected == sum(len(injection.token_ids) for injection in thinking.injected)
    assert usage.reasoning == thinking.tokens == len(reply.token_ids("reasoning"))
    assert usage.discarded >= 0


@given(cases())
def test_injections_stand_where_they_say(case: Case) -> None:
    reply = case.reply()
    for injection in reply.thinking.injected:
        start, length = injection.position, len(injection.token_ids)
        assert reply.final.token_ids[start : start + length] == injection.token_ids
        assert case.family.codec.decode(injection.token_ids) == injection.text


@given(cases())
def test_text_and_ids_say_the_same(case: Case) -> None:
    reply = case.reply()
    decode, ids = case.family.codec.decode, reply.final.token_ids
    reasoning, content = reply.token_ids("reasoning"), reply.token_ids("content")
    assert ids[: len(reasoning)] == reasoning
    body = ids[:-1] if reply.final.finish == "stop" else ids
    assert body[len(body) - len(content) :] == content
    assert reply.reasoning == decode(reasoning)
    prefixed = any(delta.injected and delta.phase == "content" for delta in reply.deltas)
    assert reply.content == (decode(content) if prefixed else decode(content).lstrip("\n"))


@given(cases(), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_the_size_of_chunks_changes_nothing(case: Case, sizes: list[int]) -> None:
    """But for what a soft window throws away, which came with the boundary."""
    one, other = case.reply(), replace(case, sizes=sizes).reply()
    assert (one.reasoning, one.content) == (other.reasoning, other.content)
    assert one.final.token_ids == other.final.token_ids
    assert one.final.thinking == other.final.thinking
    assert [call.sampling for call in one.calls] == [call.sampling for call in other.calls]
    if case.config.soft_window == 0:
        assert one.final == other.final


@given(cases(), st.integers(0, 2**32 - 1))
def test_a_seed_gives_every_call_its_own_and_always_the_same(case: Case, seed: int) -> None:
    case = replace(case, seed=seed)
    reply = case.reply()
    seeds = [call.sampling.seed for call in reply.calls]
    assert seeds[0] == seed
    assert len(set(seeds)) == len(seeds)
    assert case.reply() == reply


def reprompted(case: Case) -> tuple[list[int], int, End]:
    """The plain way of s1: a whole generation a round, and everything prompted anew for the next.

    Returns the completion, the waits used and the end. Unlike s1, one budget is for all rounds.
    """
    config, marks, encode = case.config, case.family.markers, case.family.codec.encode

    def generate(completion: list[int], tokens: int) -> list[int]:
        return list(islice(case.model((*PROMPT, *completion), None), tokens))

    def ends(tokens: list[int], at: int) -> bool:
        return tokens[at] in marks.turn_ends or tokens[at:][: len(marks.end)] == [*marks.end]

    last_words = encode(config.end_text)
    if len(last_words) > case.cap:
        last_words = []
    completion: list[int] = []
    waits, own_marker = 0, False
    while True:
        room = case.cap - len(last_words) - len(completion)
        # A marker may begin on the last token of the budget.
        tokens = generate(completion, room + len(marks.end) - 1)
        at = next((at for at in range(room) if ends(tokens, at)), None)
        completion += tokens[: room if at is None else at]
        if at is None:
            end: End = "budget"
            completion += last_words
            break
        wait = encode(config.wait[waits % len(config.wait)])
        wanted = waits < config.waits or len(completion) < config.min_tokens
        if not wanted or len(wait) >= case.cap - len(last_words) - len(completion):
            end = "natural"
            own_marker = tokens[at] not in marks.turn_ends
            break
        completion += wait
        waits += 1

    if own_marker:
        completion += marks.end
    else:
        completion += encode("\n") if completion and completion[-1] != ord("\n") else []
        completion += marks.closing
    if end == "budget":
        prefix = config.answer_prefix
        completion += encode(marks.profile.answer_prefix if prefix is None else prefix)
    answer = generate(completion, case.max_tokens - len(completion))
    stop = next((n + 1 for n, token in enumerate(answer) if token in marks.turn_ends), None)
    return completion + answer[:stop], waits, end


@given(cases())
def test_it_says_what_reprompting_says(case: Case) -> None:
    case = replace(case, seed=None, config=replace(case.config, soft_window=0))
    reply = case.reply()
    thinking = reply.thinking
    assert (list(reply.final.token_ids), thinking.waits, thinking.end) == reprompted(case)
