"""`/v1/indexes`: documents that answers may rest on. Changes are for admins; all may search."""

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field

from server import openapi
from server.auth import ADMIN
from server.errors import SearchUnavailable, UnknownIndex
from server.retrieval.index import Document
from server.schema.thinking import Strict
from server.state import State

router = APIRouter(prefix="/v1/indexes")

Name = Annotated[str, Path(max_length=100)]
Id = Annotated[str, Field(min_length=1, max_length=1000)]
CHANGES = openapi.refusals(*openapi.BODY, 403, 404, 409)
MOST = 10_000
"""Documents of a call."""


class CreateRequest(Strict):
    name: str = Field(max_length=100)


class DocumentFields(Strict):
    """digest: of its content, so that `missing` tells whether it has changed since."""

    id: Id
    title: str = Field("", max_length=1000)
    text: str = Field(min_length=1)
    digest: str = Field("", max_length=1000)


class DocumentsRequest(Strict):
    documents: list[DocumentFields] = Field(min_length=1, max_length=MOST)


class DeleteRequest(Strict):
    ids: list[Id] = Field(min_length=1, max_length=MOST)


class MissingRequest(Strict):
    """documents: digests by id."""

    documents: dict[Id, str] = Field(max_length=MOST)


class SearchRequest(Strict):
    query: str = Field(min_length=1, max_length=10_000)
    top_k: int = Field(5, ge=1, le=100)


@router.get("", responses=openapi.refusals())
async def list_indexes(request: Request) -> dict[str, Any]:
    found = []
    for name in await State.of(request).indexes.names():
        with suppress(UnknownIndex, SearchUnavailable):  # it may have been dropped meanwhile
            found.append({"name": name, "passages": await _count(request, name)})
    return {"indexes": found}


@router.post("", dependencies=[ADMIN], responses=openapi.refusals(*openapi.BODY, 403, 409))
async def create_index(body: CreateRequest, request: Request) -> dict[str, Any]:
    await State.of(request).indexes.create(body.name)
    return {"name": body.name, "passages": 0}


@router.delete("/{name}", dependencies=[ADMIN], responses=openapi.refusals(403, 404))
async def drop_index(name: Name, request: Request) -> dict[str, Any]:
    await State.of(request).indexes.drop(name)
    return {"name": name}


@router.post(
    "/{name}/documents",
    dependencies=[ADMIN],
    responses=CHANGES,
)
async def upsert_documents(name: Name, body: DocumentsRequest, request: Request) -> dict[str, Any]:
    """Of the same ids they replace what was there."""
    index = await State.of(request).indexes.get(name)
    documents = [Document(each.id, each.text, each.title, each.digest) for each in body.documents]
    return {"documents": len(documents), "passages": await index.upsert(documents)}


@router.post(
    "/{name}/documents/delete",
    dependencies=[ADMIN],
    responses=CHANGES,
)
async def delete_documents(name: Name, body: DeleteRequest, request: Request) -> dict[str, Any]:
    index = await State.of(request).indexes.get(name)
    return {"passages": await index.delete(body.ids)}


@router.post(
    "/{name}/documents/missing",
    dependencies=[ADMIN],
    responses=CHANGES,
)
async def missing_documents(name: Name, body: MissingRequest, request: Request) -> dict[str, Any]:
    """Those that have to be added, or added again."""
    index = await State.of(request).indexes.get(name)
    return {"missing": await index.missing(body.documents)}


@router.post("/{name}/search", responses=openapi.refusals(*openapi.BODY, 404, 409, 502))
async def search(name: Name, body: SearchRequest, request: Request) -> dict[str, Any]:
    index = await State.of(request).indexes.get(name)
    return {
        "passages": [
            {
                "document_id": each.passage.id,
                "title": each.passage.title,
                "text": each.passage.text,
                "score": each.score,
            }
            for each in await index.found(body.query, body.top_k)
        ]
    }


async def _count(request: Request, name: str) -> int:
    return await (await State.of(request).indexes.get(name)).count()
