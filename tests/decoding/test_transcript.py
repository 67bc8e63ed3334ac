from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from decoding.transcript import Transcript
from decoding.types import Chunk, Final, Grammar, Injection, Sampling, Usage
from tests.scripted import BIDE, ScriptedEngine, hashed, spoken


class Mute:
    """An engine that ends every call at once."""

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        yield Chunk((), "", "length")


def says(*calls: str) -> ScriptedEngine:
    return ScriptedEngine(BIDE, spoken(BIDE.codec, *calls))


async def exhaust(chunks: AsyncGenerator[Chunk, None]) -> list[int]:
    return [token async for chunk in chunks for token in chunk.token_ids]


async def test_a_call_continues_prompt_and_completion() -> None:
    engine = says("cd")
    transcript = Transcript(engine, (1, 2), Sampling(9))
    transcript.keep((3,))
    assert await exhaust(transcript.call(2, after=(4,))) == [ord("c"), ord("d")]
    assert engine.calls[0].token_ids == (1, 2, 3, 4)
    assert transcript.completion == [3]


async def test_a_call_is_sampled_as_asked_but_for_its_ends() -> None:
    engine = says("a")
    asked = Sampling(9, temperature=0.3, logit_bias={5: 1.0}, stop=(";",))
    await exhaust(Transcript(engine, (), asked).call(1, stop_token_ids=(7,), ignore_eos=True))
    expected = Sampling(
        1, temperature=0.3, logit_bias={5: 1.0}, stop_token_ids=(7,), ignore_eos=True
    )
    assert engine.calls[0].sampling == expected


async def test_the_answer_alone_is_bound_and_told() -> None:
    engine = says("a", "b", "c")
    asked = Sampling(9, grammar=Grammar("regex", "b"), logprobs=2)
    transcript = Transcript(engine, (), asked)
    await exhaust(transcript.call(1))
    await exhaust(transcript.call(1, answers=True))
    await exhaust(transcript.fork((), chunk_tokens=1).call(1))
    told = [(call.sampling.grammar, call.sampling.logprobs) for call in engine.calls]
    assert told == [(None, None), (asked.grammar, 2), (None, None)]


async def test_a_token_that_stops_a_call_was_generated_too() -> None:
    transcript = Transcript(says("ab<|end|>"), (), Sampling(9))
    await exhaust(transcript.call(9))
    assert transcript.generated == 3


async def test_a_peek_sees_any_token_and_keeps_none() -> None:
    (end,) = BIDE.codec.encode("<|end|>")
    engine = says("<|end|>")
    transcript = Transcript(engine, (1,), Sampling(9))
    assert await transcript.peek((5,)) == end
    assert engine.calls[0].token_ids == (1, 5)
    assert (transcript.completion, transcript.generated) == ([], 1)


async def test_a_peek_without_a_token_is_the_engines_fault() -> None:
    with pytest.raises(RuntimeError, match="one token"):
        await Transcript(Mute(), (), Sampling(9)).peek(())


async def test_a_fork_goes_on_greedily_from_where_it_was_made() -> None:
    engine = says("ab", "cd")
    transcript = Transcript(engine, (1,), Sampling(9, temperature=0.7, seed=11))
    transcript.keep((2,))
    fork = transcript.fork((3,), chunk_tokens=5)
    transcript.keep(await exhaust(transcript.call(2)))
    assert await exhaust(fork.call(2)) == [ord("c"), ord("d")]
    trunk, side = (call.sampling for call in engine.calls)
    assert engine.calls[1].token_ids == (1, 2, 3)
    assert (side.temperature, side.chunk_tokens, side.aside) == (0, 5, True)
    assert (trunk.temperature, trunk.seed, trunk.aside) == (0.7, 11, False)
    assert transcript.completion == [2, ord("a"), ord("b")]
    assert (transcript.generated, fork.generated) == (2, 2)


async def test_closing_a_call_aborts_it() -> None:
    engine = says("abc")
    async with aclosing(Transcript(engine, (), Sampling(9)).call(3)) as chunks:
        await anext(chunks)
    assert engine.calls[0].aborted


async def test_every_call_has_a_seed_of_its_own_that_can_be_had_again() -> None:
    async def seeds(seed: int | None) -> list[int | None]:
        engine = ScriptedEngine(BIDE, hashed([5]))
        transcript = Transcript(engine, (), Sampling(9, seed=seed))
        for _ in range(4):
            await exhaust(transcript.call(1))
        return [call.sampling.seed for call in engine.calls]

    first = await seeds(11)
    assert first[0] == 11
    assert len({*first, *await seeds(12)}) == 8
    assert first == await seeds(11)
    assert await seeds(None) == [None] * 4


def test_injections_are_remembered_where_they_stand() -> None:
    transcript = Transcript(says(), (1, 2), Sampling(9))
    transcript.keep((3, 4))
    assert transcript.inject("Hm", (5, 6)) == Injection(2, "Hm", (5, 6))
    transcript.reasoning, transcript.generated = 4, 3
    usage = Usage(prompt=2, completion=4, reasoning=4, injected=2, generated=3, discarded=1)
    assert transcript.room == 5
    assert transcript.final("stop", None) == Final("stop", usage, (3, 4, 5, 6))
    assert transcript.thinking(1, "natural", None).injected == (Injection(2, "Hm", (5, 6)),)
