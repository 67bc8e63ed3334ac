"""`GET /health`, `GET /ready`, `GET /version` and `GET /metrics`: for those who run the server."""

from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from server import openapi
from server.auth import ADMIN
from server.errors import RESTART
from server.schema.replies import Health, Readiness, Version
from server.state import State

router = APIRouter()


@router.get("/health", responses=openapi.refusals(open_to_all=True))
async def health() -> Health:
    """200 while this process answers: one that does not should be replaced."""
    return {"status": "ok"}


@router.get("/ready", responses=openapi.condition(Readiness))
async def ready(request: Request) -> Response:
    """200 while the engine answers; else 503, and no requests should be sent here."""
    condition = State.of(request).condition()
    if condition == "ready":
        return JSONResponse({"status": condition})
    headers = {"Retry-After": str(RESTART)}
    return JSONResponse({"status": condition}, status_code=503, headers=headers)


@router.get("/version", responses=openapi.refusals(open_to_all=True))
async def read_version() -> Version:
    return {"version": version("bide")}


@router.get(
    "/metrics",
    dependencies=[ADMIN],
    response_class=PlainTextResponse,
    responses=openapi.refusals(403),
)
async def metrics(request: Request) -> Response:
    state = State.of(request)
    state.metrics.engine_up.set(state.condition() in ("ready", "draining"))
    return Response(state.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
