"""`POST /tokenize` and `POST /detokenize`."""

from fastapi import APIRouter, Request

from server import openapi
from server.asking import rendered
from server.schema.replies import Prompt, Tokens
from server.schema.tokens import DetokenizeRequest, TokenizeRequest, tokens_object
from server.state import State
from server.unicode import UnicodeRoute

router = APIRouter(route_class=UnicodeRoute)


@router.post("/tokenize", responses=openapi.refusals(*openapi.BODY, *openapi.MODEL))
async def tokenize(body: TokenizeRequest, request: Request) -> Tokens:
    model, chat = State.of(request).models.resolve(body.model), body.chat()
    if chat is None:
        special = body.add_special_tokens is not False
        tokens = model.encode(body.prompt or "", special_tokens=special)
    else:
        tokens, _ = await rendered(model, chat, add_generation_prompt=body.add_generation_prompt)
    strings = model.token_strings(tokens) if body.return_token_strs else None
    return tokens_object(tokens, strings, model.max_model_len)


@router.post("/detokenize", responses=openapi.refusals(*openapi.BODY, *openapi.MODEL))
async def detokenize(body: DetokenizeRequest, request: Request) -> Prompt:
    model = State.of(request).models.resolve(body.model)
    model.check_tokens(body.tokens, "tokens")
    return {"prompt": model.codec.decode(body.tokens)}
