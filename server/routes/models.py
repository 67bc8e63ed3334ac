"""`GET /v1/models`."""

from typing import Any

from fastapi import APIRouter, Request

from server.state import State

router = APIRouter()


@router.get("/v1/models")
async def list_models(request: Request) -> dict[str, Any]:
    return {"object": "list", "data": [_describe(State.of(request))]}


@router.get("/v1/models/{name:path}")
async def get_model(name: str, request: Request) -> dict[str, Any]:
    state = State.of(request)
    state.model(name)
    return _describe(state)


def _describe(state: State) -> dict[str, Any]:
    model = state.served
    return {
        "id": model.name,
        "object": "model",
        "created": state.started,
        "owned_by": "bide",
        "max_model_len": model.max_model_len,
        "markers": None if model.markers is None else model.markers.profile.name,
    }
