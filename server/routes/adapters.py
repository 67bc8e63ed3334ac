"""`/v1/adapters`: LoRA adapters beside the model that is served. For admins."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from server import openapi
from server.auth import ADMIN
from server.checkpoints.loader import LATEST
from server.schema.thinking import Strict
from server.state import State

router = APIRouter(prefix="/v1/adapters", dependencies=[ADMIN])


class LoadRequest(Strict):
    """version: an id such as `v3`, a tag, or `latest`."""

    name: str = Field(max_length=100)
    version: str = Field(LATEST, max_length=100)


class UnloadRequest(Strict):
    """version: an id; all that are loaded, where none is said."""

    name: str = Field(max_length=100)
    version: str | None = Field(None, max_length=100)


@router.get("", responses=openapi.refusals(403))
async def list_adapters(request: Request) -> dict[str, Any]:
    return {"loaded": State.of(request).adapters.listed()}


@router.post("/load", responses=openapi.refusals(*openapi.BODY, 403, 409, 503))
async def load(body: LoadRequest, request: Request) -> dict[str, Any]:
    """Answers once requests may name the model."""
    model = await State.of(request).adapters.load(body.name, body.version)
    assert model.adapter is not None
    return {
        "name": model.adapter.name,
        "version": model.adapter.version,
        "model": model.name,
    }


@router.post("/unload", responses=openapi.refusals(*openapi.BODY, 403, 409))
async def unload(body: UnloadRequest, request: Request) -> dict[str, Any]:
    """Requests that have it keep it; no other gets it."""
    found = await State.of(request).adapters.unload(body.name, body.version)
    return {"unloaded": [str(each) for each in found]}
