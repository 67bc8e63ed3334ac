"""The engine tells the log-probabilities of chosen tokens, beside calls that ask for others."""

import asyncio
from contextlib import aclosing

import pytest

from decoding.types import Chunk, Sampling
from tests.real.conftest import RealServer

pytestmark = pytest.mark.real


async def chunks_of(server: RealServer, prompt: list[int], sampling: Sampling) -> list[Chunk]:
    async with aclosing(server.model.engine.generate(prompt, sampling)) as chunks:
        return [chunk async for chunk in chunks]


def test_chosen_tokens_are_told_at_every_position(server: RealServer) -> None:
    model = server.model
    question = [{"role": "user", "content": "How many r in raspberry?"}]
    prompt = model.render(question, thinking=True, template_arguments={})
    plain = Sampling(30, temperature=0.0, logprobs=20)
    wanted = tuple(model.codec.encode("0123456789"))
    telling = Sampling(30, temperature=0.0, told_ids=wanted, chunk_tokens=64)

    async def run() -> list[list[Chunk]]:
        calls = [chunks_of(server, prompt, each) for each in (plain, telling, plain, telling)]
        return await asyncio.gather(*calls)

    found = server.engine_run(run())
    for asked, told in ((found[0], found[1]), (found[2], found[3])):
        ids = [token for chunk in told for token in chunk.token_ids]
        positions = [each for chunk in asked for each in chunk.logprobs]
        critiques = [each for chunk in told for each in chunk.told]
        assert len(positions) == len(critiques) == len(ids) == 30
        for position, critique, token in zip(positions, critiques, ids, strict=True):
            assert len(position.top) == 20
            assert critique.keys() <= {*wanted, token}
            assert critique[token] == pytest.approx(position.drawn.logprob, abs=1e-3)
            for likely in position.top:
                if likely.token_id in wanted:
                    expected = pytest.approx(likely.logprob, abs=1e-3)
                    assert critique[likely.token_id] == expected


def test_the_token_that_stops_a_call_is_told_too(server: RealServer) -> None:
    model = server.model
    (stop,) = model.codec.encode("\n")
    prompt = model.render(
        [{"role": "user", "content": "How many r in raspberry?"}],
        thinking=True,
        template_arguments={},
    )
    sampling = Sampling(
        60, temperature=0.0, told_ids=(stop,), stop_token_ids=(stop,), chunk_tokens=64
    )
    chunks = server.engine_run(chunks_of(server, prompt, sampling))
    assert chunks[-1].stop_token == stop
    told = [each for chunk in chunks for each in chunk.told]
    assert len(told) == sum(chunk.generated for chunk in chunks)
    assert told[-1][stop] > -1.0
