"""`POST /v1/completions`."""

import uuid

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from server import openapi, sse
from server.completing import complete
from server.disconnect import unless_disconnected
from server.entrance import Entered
from server.outcome import outcomes
from server.schema.completions import NAMES, CompletionsRequest
from server.schema.completions_reply import CompletionReply, CompletionStream, Echo
from server.schema.naming import naming
from server.schema.replies import Completion
from server.state import State
from server.unicode import UnicodeRoute

router = APIRouter(route_class=UnicodeRoute)


@router.post("/v1/completions", responses=openapi.generation(Completion))
async def create(body: CompletionsRequest, request: Request, ticket: Entered) -> Response:
    state = State.of(request)
    with naming(NAMES):
        asked = await complete(request, body, ticket)
    decode = asked.model.codec.decode
    reply = CompletionReply(
        uuid.uuid4().hex,
        asked.model.name,
        count=asked.count,
        echoes=[Echo(decode(each), decode(each[:1])) for each in asked.prompts]
        if body.echo
        else None,
        logprobs=body.logprobs is not None,
        exclude_reasoning=body.exclude_reasoning,
        control=asked.control,
        reduced_from=asked.reduced_from,
        fingerprint=asked.model.witness(),
    )
    events = asked.events(state)
    if body.stream:
        return sse.stream(events, CompletionStream(reply, include_usage=body.include_usage))
    return JSONResponse(reply.whole(await unless_disconnected(request, outcomes(events))))
