"""Who may enter the engine: as many programs at once as it holds, and a bounded queue before it.

A request has a ticket for as long as it is answered. It waits in the queue for its first place, and
its response begins when it has that: until then it can be refused with a status of its own. A
program keeps its place over all its engine calls. So a forced continuation never queues behind
newcomers, and its prefix is still cached when it comes. Places go to callers in turn, and to the
requests of one caller in turn.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from server.checkpoints.gate import Gate
from server.errors import QueueFull, QueueTimeout
from server.pace import Pace
from server.turns import Turns
from server.uses import Uses


class Admission:
    """`running`: places taken; `waiting`: programs that wait for one; `queued`: requests that have
    not had their first."""

    def __init__(
        self,
        places: int,
        max_queue: int,
        timeout: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """max_queue: requests that may wait for their first place; timeout: seconds for which."""
        self.places, self._max_queue, self.timeout, self.clock = places, max_queue, timeout, clock
        self._turns = Turns[Ticket, asyncio.Future[None]]()
        self.pace = Pace(clock)
        self.gate = Gate()
        self.running = 0
        self.waiting = 0
        self.queued = 0

    @property
    def free(self) -> int:
        """Places that nobody has, and so nobody waits for."""
        return self.places - self.running

    @property
    def pressure(self) -> float:
        """How full the queue is, from 0 to 1."""
        if not self._max_queue:
            return 0.0
        return min(1.0, max(0, self.queued - self.free) / self._max_queue)

    @property
    def retry_after(self) -> int:
        """Seconds until all who wait now will have been served, as far as can be told."""
        return self.pace.retry_after(self.queued)

    @contextmanager
    def ticket(self, caller: str) -> "Iterator[Ticket]":
        """For a request from its arrival to the end of its response. Raises QueueFull."""
        if self.queued - self.free >= self._max_queue:
            raise QueueFull(self.queued, self.retry_after)
        ticket = Ticket(self, caller)
        try:
            yield ticket
        finally:
            ticket.close()

    async def acquire(self, ticket: "Ticket") -> None:
        """Wait for a place, and have it until it is released."""
        if self.free:
            self.running += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._turns.add(ticket.caller, ticket, turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            self._turns.discard(ticket.caller, ticket, turn)
            if not turn.cancelled():  # the place came in the moment in which it was given up
                self.release()
            raise
        finally:
            self.waiting -= 1

    def release(self) -> None:
        """Hand a place on to whose turn it is."""
        while self._turns:
            turn = self._turns.take()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1


class Ticket:
    """A request's right to places, the first of which it waits for before its response begins."""

    def __init__(self, admission: Admission, caller: str) -> None:
        self.caller = caller
        self._admission = admission
        self._entered = admission.clock()
        self._begun: float | None = None
        self._spare = False
        self._inside = False
        self._uses: list[Uses] = []
        admission.queued += 1

    def use(self, uses: Iterable[Uses]) -> None:
        """Until the request is over."""
        for each in uses:
            each.begin()
            self._uses.append(each)

    @property
    def queued_seconds(self) -> float:
        """From the request's arrival to its first place, or to now."""
        until = self._admission.clock() if self._begun is None else self._begun
        return until - self._entered

    async def first_place(self) -> None:
        """Wait, once, for a place that the first program will find. Raises QueueTimeout."""
        admission = self._admission
        waits = not admission.free
        try:
            async with asyncio.timeout(admission.timeout):
                await self._enter()
                await admission.acquire(self)
        except TimeoutError:
            raise QueueTimeout(self.queued_seconds, admission.retry_after) from None
        self._spare = True
        self._begin()
        if waits:
            admission.pace.step(self._entered)

    async def _enter(self) -> None:
        await self._admission.gate.enter()
        self._inside = True

    @property
    def waited(self) -> float:
        """Seconds that the next program has waited already: for the first one, in the queue."""
        return self.queued_seconds if self._spare else 0.0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None, None]:
        """A program's place."""
        if self._spare:
            self._spare = False
        else:
            await self._admission.acquire(self)
        try:
            yield
        finally:
            self._admission.release()

    def close(self) -> None:
        """The request is over; its programs have given their places back, or are about to."""
        if self._begun is None:
            self._begin()
        if self._spare:
            self._spare = False
            self._admission.release()
        if self._inside:
            self._inside = False
            self._admission.gate.leave()
        while self._uses:
            self._uses.pop().end()

    def _begin(self) -> None:
        self._begun = self._admission.clock()
        self._admission.queued -= 1
