"""`GET /v1/models`."""

from fastapi import APIRouter, Request

from server import openapi
from server.schema.replies import Model, Models
from server.state import State

router = APIRouter()


@router.get("/v1/models", responses=openapi.refusals())
async def list_models(request: Request) -> Models:
    state = State.of(request)
    return {"object": "list", "data": [_describe(state, name) for name in state.models.names()]}


@router.get("/v1/models/{name:path}", responses=openapi.refusals(*openapi.MODEL))
async def get_model(name: str, request: Request) -> Model:
    state = State.of(request)
    return _describe(state, name)


def _describe(state: State, name: str) -> Model:
    """name: its own, or an alias of models that are alike but for their weights."""
    model = state.models.resolve(name)
    return {
        "id": name,
        "object": "model",
        "created": state.started,
        "owned_by": "bide",
        "max_model_len": model.max_model_len,
        "markers": None if model.markers is None else model.markers.profile.name,
    }
