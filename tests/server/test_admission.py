"""First come, first served, and no more at once than there are places."""

import asyncio

import pytest

from server.admission import Admission


async def test_places_are_given_in_order_of_arrival() -> None:
    admission = Admission(2)
    served: list[int] = []
    most = 0

    async def program(number: int) -> None:
        nonlocal most
        async with admission.place():
            most = max(most, admission.running)
            served.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(program(i) for i in range(8)))
    assert served == list(range(8))
    assert (most, admission.running, admission.waiting) == (2, 0, 0)


async def test_one_that_gives_up_waiting_frees_its_place() -> None:
    admission = Admission(1)
    async with admission.place():
        waiting = asyncio.create_task(admission.place().__aenter__())
        await asyncio.sleep(0)
        assert admission.waiting == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(1), admission.place():
        assert (admission.running, admission.waiting) == (1, 0)
