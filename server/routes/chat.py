"""`POST /v1/chat/completions`."""

import uuid

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from server import openapi, sse
from server.asking import ask
from server.disconnect import unless_disconnected
from server.entrance import Entered
from server.outcome import outcomes
from server.schema.chat import ChatRequest
from server.schema.chat_reply import ChatReply, ChatStream
from server.schema.replies import Chat
from server.state import State
from server.unicode import UnicodeRoute

router = APIRouter(route_class=UnicodeRoute)


@router.post("/v1/chat/completions", responses=openapi.generation(Chat))
async def create(body: ChatRequest, request: Request, ticket: Entered) -> Response:
    state = State.of(request)
    asked = await ask(request, body, ticket)
    reply = ChatReply(
        uuid.uuid4().hex,
        asked.model.name,
        exclude_reasoning=body.exclude_reasoning,
        logprobs=bool(body.logprobs),
        control=asked.control,
        reduced_from=asked.reduced_from,
        fingerprint=asked.model.witness(),
        token_ids=asked.prompts[0] if body.return_token_ids else None,
        tree=body.self_rag is not None and body.self_rag.tree,
    )
    events = asked.events(state)
    if body.stream:
        stream = ChatStream(reply, asked.count, include_usage=body.include_usage)
        return sse.stream(events, stream)
    return JSONResponse(reply.whole(await unless_disconnected(request, outcomes(events))))
