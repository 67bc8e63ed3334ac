"""`GET /health`, `GET /version` and `GET /metrics`: for those who run the server."""

from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from server.auth import ADMIN
from server.errors import EngineUnavailable
from server.state import State

router = APIRouter()


@router.get("/health")
async def health(request: Request) -> dict[str, str]:
    """200 while the engine answers, 503 once it has stopped."""
    await State.of(request).check_engine()
    return {"status": "ok"}


@router.get("/version")
async def read_version() -> dict[str, str]:
    return {"version": version("bide")}


@router.get("/metrics", dependencies=[ADMIN])
async def metrics(request: Request) -> Response:
    state = State.of(request)
    state.metrics.engine_up.set(await _engine_answers(state))
    return Response(state.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


async def _engine_answers(state: State) -> bool:
    try:
        await state.check_engine()
    except EngineUnavailable:
        return False
    return True
