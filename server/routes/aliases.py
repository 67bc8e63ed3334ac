"""`/v1/aliases`: names that stand for models, each by its share. For admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field

from server import openapi
from server.auth import ADMIN
from server.config import Share
from server.errors import UnknownModel
from server.schema.thinking import Strict
from server.state import State

router = APIRouter(prefix="/v1/aliases", dependencies=[ADMIN])

Name = Annotated[str, Path(max_length=100)]


class AliasRequest(Strict):
    """models: a weight for each; of requests for the alias it gets its share."""

    models: dict[str, Share] = Field(min_length=1, max_length=100)


@router.get("", responses=openapi.refusals(403))
async def list_aliases(request: Request) -> dict[str, Any]:
    return {"aliases": State.of(request).models.aliases}


@router.put("/{name}", responses=openapi.refusals(*openapi.BODY, 403))
async def set_alias(name: Name, body: AliasRequest, request: Request) -> dict[str, Any]:
    """Also of one that is there: from one request to the next."""
    State.of(request).models.alias(name, body.models)
    return {"name": name, "models": body.models}


@router.delete("/{name}", responses=openapi.refusals(*openapi.MODEL, 403))
async def remove_alias(name: Name, request: Request) -> dict[str, Any]:
    shares = State.of(request).models.aliases.pop(name, None)
    if shares is None:
        raise UnknownModel(f"name: there is no alias {name!r}", "name")
    return {"name": name, "models": shares}
