"""No more programs at once than there are places, a bounded queue, and nothing that is lost."""

import asyncio
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.admission import Admission, Ticket
from server.errors import QueueFull, QueueTimeout
from tests.server.clock import Clock


async def settle() -> None:
    """Until all that can go on has gone on."""
    for _ in range(8):
        await asyncio.sleep(0)


def idle(admission: Admission) -> bool:
    return (admission.running, admission.waiting, admission.queued) == (0, 0, 0)


async def test_places_are_given_in_order_of_arrival() -> None:
    admission = Admission(2, max_queue=8)
    served: list[int] = []
    most = 0

    async def request(number: int) -> None:
        nonlocal most
        with admission.ticket("a") as ticket:
            await ticket.first_place()
            async with ticket.place():
                most = max(most, admission.running)
                served.append(number)
                await asyncio.sleep(0)

    await asyncio.gather(*(request(i) for i in range(8)))
    assert served == list(range(8))
    assert most == 2
    assert idle(admission)


async def test_the_first_program_finds_the_place_its_request_waited_for() -> None:
    admission = Admission(1, max_queue=8)
    with admission.ticket("a") as ticket, admission.ticket("a") as other:
        await ticket.first_place()
        waiting = asyncio.create_task(other.first_place())
        await settle()
        async with asyncio.timeout(1), ticket.place():
            assert (admission.running, admission.waiting, admission.queued) == (1, 1, 1)
        await waiting
    assert idle(admission)


async def test_a_place_that_no_program_came_for_goes_to_the_next() -> None:
    admission = Admission(1, max_queue=8)
    with admission.ticket("a") as other:
        with admission.ticket("a") as ticket:
            await ticket.first_place()
        async with asyncio.timeout(1):
            await other.first_place()
    assert idle(admission)


async def test_one_that_gives_up_waiting_frees_its_place() -> None:
    admission = Admission(1, max_queue=8)
    with admission.ticket("a") as ticket:
        await ticket.first_place()
        with admission.ticket("a") as other:
            waiting = asyncio.create_task(other.first_place())
            await settle()
            assert (admission.waiting, admission.queued) == (1, 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert (admission.running, admission.waiting, admission.queued) == (1, 0, 0)
    assert idle(admission)


async def test_one_that_gives_up_in_the_moment_its_place_comes_hands_it_on() -> None:
    admission = Admission(1, max_queue=8)
    with ExitStack() as tickets:
        first, leaving, patient = (tickets.enter_context(admission.ticket("a")) for _ in range(3))
        await first.first_place()
        waits = [asyncio.create_task(ticket.first_place()) for ticket in (leaving, patient)]
        await settle()
        first.close()
        waits[0].cancel()
        async with asyncio.timeout(1):
            await waits[1]
        assert waits[0].cancelled()
    assert idle(admission)


async def test_the_queue_is_of_requests_and_bounded() -> None:
    admission = Admission(2, max_queue=3)
    with ExitStack() as tickets:
        for _ in range(5):
            tickets.enter_context(admission.ticket("a"))
        assert admission.pressure == 1
        with pytest.raises(QueueFull) as refused, admission.ticket("a"):
            pass
        assert refused.value.headers == {"Retry-After": "1"}
        assert (refused.value.status, refused.value.code) == (429, "queue_full")
    assert (idle(admission), admission.pressure) == (True, 0)


async def test_a_vote_is_one_request_however_many_of_its_samples_wait() -> None:
    admission = Admission(1, max_queue=1)
    with admission.ticket("a") as vote:
        await vote.first_place()
        samples = [asyncio.create_task(hold(vote)) for _ in range(32)]
        await settle()
        assert (admission.waiting, admission.queued, admission.pressure) == (31, 0, 0)
        with admission.ticket("a"):
            assert admission.pressure == 1
        for sample in samples:
            sample.cancel()
        await asyncio.gather(*samples, return_exceptions=True)
    assert idle(admission)


async def test_without_a_queue_only_free_places_are_had() -> None:
    admission = Admission(1, max_queue=0)
    with admission.ticket("a") as ticket:
        await ticket.first_place()
        with pytest.raises(QueueFull), admission.ticket("a"):
            pass
    with admission.ticket("a") as ticket:
        await ticket.first_place()
        assert admission.pressure == 0


async def hold(ticket: Ticket) -> None:
    async with ticket.place():
        await asyncio.Event().wait()


async def order_of_places(wanted: list[tuple[str, int]]) -> list[int]:
    """Which requests get the places, one at a time, of callers whose requests want so many."""
    admission, order = Admission(1, max_queue=len(wanted)), list[int]()

    async def program(number: int, ticket: Ticket) -> None:
        async with ticket.place():
            order.append(number)

    async def request(number: int, ticket: Ticket, programs: int) -> None:
        await ticket.first_place()
        await asyncio.gather(*(program(number, ticket) for _ in range(programs)))

    with ExitStack() as tickets:
        blocking = tickets.enter_context(admission.ticket("blocking"))
        await blocking.first_place()
        requests = []
        for number, (caller, programs) in enumerate(wanted):
            ticket = tickets.enter_context(admission.ticket(caller))
            requests.append(asyncio.create_task(request(number, ticket, programs)))
            await settle()
        blocking.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*requests)
    assert idle(admission)
    return order


async def test_a_key_with_many_does_not_starve_one_with_few() -> None:
    order = await order_of_places([*[("greedy", 1)] * 50, ("modest", 1)])
    assert order.index(50) <= 1


async def test_a_vote_does_not_block_a_question_of_the_same_caller() -> None:
    order = await order_of_places([("a", 128), ("a", 1)])
    assert order.index(1) <= 2


async def test_who_waits_too_long_is_told_when_to_come_again() -> None:
    clock = Clock()
    admission = Admission(1, max_queue=8, timeout=0.01, clock=clock)
    with admission.ticket("a") as ticket, admission.ticket("a") as late:
        await ticket.first_place()
        with pytest.raises(QueueTimeout) as refused:
            await late.first_place()
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    assert idle(admission)


async def test_how_long_to_stay_away_is_how_long_the_queue_takes() -> None:
    clock = Clock()
    admission = Admission(1, max_queue=40, clock=clock)
    with ExitStack() as tickets:
        line = [tickets.enter_context(admission.ticket("a")) for _ in range(40)]
        waits = [asyncio.create_task(ticket.first_place()) for ticket in line]
        await settle()
        for ticket in line[:20]:
            clock.now += 2
            ticket.close()
            await settle()
        assert admission.queued == 19
        assert admission.retry_after == 38
        assert line[5].queued_seconds == 10
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    assert idle(admission)


STEPS = st.lists(
    st.tuples(st.sampled_from(("arrive", "more", "leave", "let go")), st.integers(0, 11)),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(places=st.integers(1, 4), max_queue=st.integers(0, 6), steps=STEPS)
def test_no_place_is_lost_and_nobody_starves(
    places: int, max_queue: int, steps: list[tuple[str, int]]
) -> None:
    asyncio.run(random_life(places, max_queue, steps))


class Visit:
    """A request that keeps its places until it is let go, and may leave at any moment."""

    def __init__(self, admission: Admission, caller: str) -> None:
        self.ticket_of = admission.ticket(caller)
        self.ticket = self.ticket_of.__enter__()
        self.over = asyncio.Event()
        self.programs = [asyncio.create_task(self._first())]

    async def _first(self) -> None:
        await self.ticket.first_place()
        await self._program()

    async def _program(self) -> None:
        async with self.ticket.place():
            await self.over.wait()

    def more(self) -> None:
        self.programs.append(asyncio.create_task(self._program()))

    async def leave(self) -> None:
        for program in self.programs:
            program.cancel()
        await self.done()

    async def done(self) -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*self.programs, return_exceptions=True)
        self.ticket_of.__exit__(None, None, None)


async def random_life(places: int, max_queue: int, steps: list[tuple[str, int]]) -> None:
    admission = Admission(places, max_queue)
    visits: list[Visit] = []
    for step, number in steps:
        if step == "arrive":
            try:
                visits.append(Visit(admission, f"caller{number % 3}"))
            except QueueFull:
                assert admission.queued - admission.free >= max_queue
        elif visits:
            visit = visits[number % len(visits)]
            if step == "more":
                visit.more()
            elif step == "let go":
                visit.over.set()
            else:
                # A place may come in the same moment, from one who lets go.
                visits[(number + 1) % len(visits)].over.set()
                visits.remove(visit)
                await visit.leave()
        if number % 2:
            await settle()
        assert 0 <= admission.running <= places
        assert not admission.waiting or not admission.free, "a place is free, and somebody waits"
    for visit in visits:
        visit.over.set()
    for visit in visits:
        await visit.done()
    assert idle(admission)
