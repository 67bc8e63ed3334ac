"""`/v1/checkpoints`: which weights are served, and other ones. For admins."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from server import openapi
from server.auth import ADMIN
from server.checkpoints.loader import LATEST, Mode
from server.schema.thinking import Strict
from server.state import State

router = APIRouter(prefix="/v1/checkpoints", dependencies=[ADMIN])


class LoadRequest(Strict):
    """version: an id such as `v3`, a tag, or `latest`."""

    name: str = Field(max_length=100)
    version: str = Field(LATEST, max_length=100)
    mode: Mode = "drain"


class RollbackRequest(Strict):
    mode: Mode = "drain"


@router.get("", responses=openapi.refusals(403))
async def list_checkpoints(request: Request) -> dict[str, Any]:
    checkpoints = State.of(request).checkpoints
    return {
        "served": checkpoints.fingerprint,
        "state": checkpoints.state,
        "available": checkpoints.available(),
        "history": [asdict(swap) for swap in checkpoints.history],
    }


@router.post("/load", responses=openapi.refusals(*openapi.BODY, 403, 409, 503))
async def load(body: LoadRequest, request: Request) -> dict[str, Any]:
    """Answers once the weights serve, or were refused."""
    return asdict(await State.of(request).checkpoints.load(body.name, body.version, body.mode))


@router.post("/rollback", responses=openapi.refusals(*openapi.BODY, 403, 409, 503))
async def rollback(body: RollbackRequest, request: Request) -> dict[str, Any]:
    return asdict(await State.of(request).checkpoints.rollback(body.mode))
