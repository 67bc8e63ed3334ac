"""`POST /v1/responses`."""

import uuid

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from server import openapi, sse
from server.asking import ask
from server.disconnect import unless_disconnected
from server.entrance import Entered
from server.outcome import outcomes
from server.schema.naming import naming
from server.schema.replies_responses import ResponseReply
from server.schema.responses import NAMES, ResponsesRequest
from server.schema.responses_reply import ResponsesReply, ResponsesStream
from server.state import State
from server.unicode import UnicodeRoute

router = APIRouter(route_class=UnicodeRoute)


@router.post("/v1/responses", responses=openapi.generation(ResponseReply))
async def create(body: ResponsesRequest, request: Request, ticket: Entered) -> Response:
    state = State.of(request)
    with naming(NAMES):
        asked = await ask(request, body.as_chat(), ticket)
    reply = ResponsesReply(
        uuid.uuid4().hex,
        body,
        asked.model.name,
        control=asked.control,
        reduced_from=asked.reduced_from,
    )
    events = asked.events(state)
    if body.stream:
        return sse.stream(events, ResponsesStream(reply))
    (outcome,) = await unless_disconnected(request, outcomes(events))
    return JSONResponse(reply.whole(outcome))
