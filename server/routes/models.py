"""`GET /v1/models`."""

from fastapi import APIRouter, Request

from server import openapi
from server.schema.replies import Model, Models
from server.state import State

router = APIRouter()


@router.get("/v1/models", responses=openapi.refusals())
async def list_models(request: Request) -> Models:
    return {"object": "list", "data": [_describe(State.of(request))]}


@router.get("/v1/models/{name:path}", responses=openapi.refusals(*openapi.MODEL))
async def get_model(name: str, request: Request) -> Model:
    state = State.of(request)
    state.model(name)
    return _describe(state)


def _describe(state: State) -> Model:
    model = state.served
    return {
        "id": model.name,
        "object": "model",
        "created": state.started,
        "owned_by": "bide",
        "max_model_len": model.max_model_len,
        "markers": None if model.markers is None else model.markers.profile.name,
    }
