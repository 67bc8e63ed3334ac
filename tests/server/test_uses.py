"""What is used is waited for."""

import asyncio

from server.uses import Uses


async def test_it_waits_until_nobody_is_left() -> None:
    uses = Uses()
    await uses.none()
    uses.begin()
    uses.begin()
    waiting = asyncio.create_task(uses.none())
    uses.end()
    await asyncio.sleep(0)
    assert not waiting.done()
    uses.end()
    await waiting
    assert uses.count == 0
