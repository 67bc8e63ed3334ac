"""Where requests that want something of the engine come in: limits, then the queue."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Request

from server.admission import Ticket
from server.caller import Caller
from server.disconnect import unless_disconnected
from server.errors import QueueTimeout, TooManyRequests
from server.headers import note
from server.state import State


async def enter(request: Request) -> AsyncGenerator[Ticket, None]:
    """Holds the request's ticket until its response has been sent, or its client has gone.

    Raises TooManyRequests, while the response still can have a status of its own.
    """
    state, caller = State.of(request), Caller.of(request)
    try:
        with state.limits.request(caller), state.admission.ticket(caller.name) as ticket:
            note(request, state.limits.headers(caller))
            yield ticket
    except TooManyRequests as refusal:
        note(request, state.limits.headers(caller))
        state.metrics.refuse(refusal)
        raise


Entered = Annotated[Ticket, Depends(enter)]


async def first_place(request: Request, ticket: Ticket) -> None:
    """Wait in the queue, unless the client goes away. Raises QueueTimeout, or Disconnected."""
    state = State.of(request)
    try:
        if state.admission.free and state.admission.gate.is_open:
            await ticket.first_place()
        else:
            await unless_disconnected(request, ticket.first_place())
    except QueueTimeout as refusal:
        state.metrics.refuse(refusal)
        raise
    finally:
        state.metrics.queue_seconds.observe(ticket.queued_seconds)
