"""`POST /v1/chat/completions`."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from decoding.mathematics import MathsUnavailable
from decoding.types import Ballot, Final
from server import sse
from server.asking import ask
from server.disconnect import unless_disconnected
from server.entrance import Entered
from server.errors import ApiError, maths_unavailable
from server.outcome import Events, outcomes
from server.schema.chat import ChatRequest
from server.schema.chat_reply import ChatReply
from server.state import State

router = APIRouter()


@router.post("/v1/chat/completions")
async def create(body: ChatRequest, request: Request, ticket: Entered) -> Response:
    state = State.of(request)
    asked = await ask(request, body, ticket)
    reply = ChatReply(
        uuid.uuid4().hex,
        state.model(body.model).name,
        exclude_reasoning=body.exclude_reasoning,
        logprobs=bool(body.logprobs),
        control=asked.control,
        reduced_from=asked.reduced_from,
    )
    events = asked.events(state)
    if body.stream:
        return sse.EventStream(
            _chunks(events, reply, asked.count, include_usage=body.include_usage)
        )
    return JSONResponse(reply.whole(await unless_disconnected(request, outcomes(events))))


async def _chunks(
    events: Events, reply: ChatReply, count: int, *, include_usage: bool
) -> AsyncGenerator[str, None]:
    """count: choices that there will be for certain; a vote may have more."""
    finals: list[Final] = []
    opened = set(range(count))
    for index in opened:
        yield sse.event(reply.opening(index))
    try:
        async with aclosing(events):
            async for index, event in events:
                if index not in opened:
                    opened.add(index)
                    yield sse.event(reply.opening(index))
                if isinstance(event, Ballot):
                    yield sse.event(reply.ballot(event))
                elif isinstance(event, Final):
                    finals.append(event)
                    yield sse.event(reply.closing(index, event))
                elif chunk := reply.delta(index, event):
                    yield sse.event(chunk)
    except (ApiError, MathsUnavailable) as error:
        # The status line is gone already: the error comes as an event, and no [DONE] after it.
        told = error if isinstance(error, ApiError) else maths_unavailable(error)
        yield sse.event(told.body())
        return
    if include_usage:
        yield sse.event(reply.usage([final.usage for final in finals]))
    yield sse.DONE
