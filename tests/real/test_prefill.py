"""More prompts at once than the engine computes in one step, of requests with a seed."""

import asyncio

import pytest
from openai import AsyncOpenAI

from tests.real.conftest import RealServer

pytestmark = pytest.mark.real

AT_ONCE = 8
"""Of prompts that nearly fill the context: several steps' worth."""


async def test_seeded_prompts_are_computed_in_one_step_each(server: RealServer) -> None:
    """On a CPU a seeded prompt that is computed in parts would kill the engine."""

    async def asked(client: AsyncOpenAI, number: int) -> int:
        made = await client.completions.create(
            model="bide-mini", prompt=f"{number} " * 900, max_tokens=2, seed=number
        )
        assert made.usage is not None
        return made.usage.prompt_tokens

    async with server.async_openai as client:
        prompts = await asyncio.gather(*(asked(client, number) for number in range(AT_ONCE)))
    assert min(prompts) > 1500
