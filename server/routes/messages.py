"""`POST /v1/messages` and `POST /v1/messages/count_tokens`."""

import uuid

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from server import openapi, sse
from server.asking import ask, rendered
from server.disconnect import unless_disconnected
from server.entrance import Entered
from server.outcome import outcomes
from server.schema.anthropic import CountRequest, MessagesRequest
from server.schema.anthropic_reply import MessageReply, MessageStream
from server.schema.naming import naming
from server.schema.replies import AnthropicError, Message, MessageTokens
from server.state import State
from server.unicode import UnicodeRoute

router = APIRouter(route_class=UnicodeRoute)


@router.post("/v1/messages", responses=openapi.generation(Message, AnthropicError))
async def create(body: MessagesRequest, request: Request, ticket: Entered) -> Response:
    state = State.of(request)
    with naming(body.names):
        asked = await ask(request, body.as_chat(), ticket)
    reply = MessageReply(
        uuid.uuid4().hex,
        asked.model.name,
        exclude_reasoning=body.exclude_reasoning,
        control=asked.control,
        reduced_from=asked.reduced_from,
    )
    events = asked.events(state)
    if body.stream:
        return sse.stream(events, MessageStream(reply, len(asked.prompts[0])))
    (outcome,) = await unless_disconnected(request, outcomes(events))
    return JSONResponse(reply.whole(outcome))


@router.post(
    "/v1/messages/count_tokens",
    responses=openapi.refusals(*openapi.BODY, *openapi.MODEL, shape=AnthropicError),
)
async def count_tokens(body: CountRequest, request: Request) -> MessageTokens:
    with naming(body.names):
        chat = body.as_chat()
        prompt, _ = await rendered(State.of(request).models.resolve(chat.model), chat)
        return {"input_tokens": len(prompt)}
