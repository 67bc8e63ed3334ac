"""A closed gate waits for those inside, and lets those who wait in once it opens."""

import asyncio

import pytest

from server.checkpoints.gate import Gate


async def test_it_closes_when_all_have_left() -> None:
    gate, closed = Gate(), asyncio.Event()
    await gate.enter()

    async def close() -> None:
        async with gate.closed():
            closed.set()
            await asyncio.sleep(0.01)
            assert gate.inside == 0

    closing = asyncio.create_task(close())
    await asyncio.sleep(0)
    entering = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    assert not gate.is_open
    assert not closed.is_set()
    gate.leave()
    await closed.wait()
    assert not entering.done()
    await closing
    await entering
    assert gate.inside == 1


async def test_it_opens_again_when_those_inside_take_too_long() -> None:
    gate = Gate()
    await gate.enter()
    with pytest.raises(TimeoutError):
        async with gate.closed(patience=0.01):
            pytest.fail("somebody is inside")
    assert gate.is_open
