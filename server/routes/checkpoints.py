"""`/v1/checkpoints`: which weights are served, and other ones. For admins."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field, ValidationInfo, field_validator

from server import openapi, sse
from server.auth import ADMIN
from server.checkpoints.loader import LATEST, Checkpoints, Mode, Swap, Where
from server.errors import ApiError
from server.schema.thinking import Strict
from server.state import State

router = APIRouter(prefix="/v1/checkpoints", dependencies=[ADMIN])
REFUSALS = (*openapi.BODY, 403, 409, 503)


class RollbackRequest(Strict):
    """engine: "new" for weights of another shape or tokenizer, which an engine beside this one
    serves from then on. stream: tell each step as it begins."""

    mode: Mode = "drain"
    engine: Where = "same"
    stream: bool = False

    @field_validator("engine")
    @classmethod
    def _one_engine_answers(cls, given: Where, info: ValidationInfo) -> Where:
        if given == "new" and info.data.get("mode") == "immediate":
            raise ValueError("requests in flight cannot go on in a new one: mode should be drain")
        return given


class LoadRequest(RollbackRequest):
    """version: an id such as `v3`, a tag, or `latest`."""

    name: str = Field(max_length=100)
    version: str = Field(LATEST, max_length=100)


@router.get("", responses=openapi.refusals(403))
async def list_checkpoints(request: Request) -> dict[str, Any]:
    state = State.of(request)
    checkpoints = state.checkpoints
    return {
        "served": checkpoints.served,
        "state": checkpoints.state,
        "adapters": [str(each) for each in state.adapters.held],
        "available": checkpoints.available(),
        "history": [asdict(swap) for swap in checkpoints.history],
    }


@router.post("/load", responses=openapi.streamed(Swap, *REFUSALS))
async def load(body: LoadRequest, request: Request) -> Response:
    """Answers once the weights serve, or were refused."""
    checkpoints = State.of(request).checkpoints
    load = partial(checkpoints.load, body.name, body.version, body.mode, body.engine)
    return await _answered(checkpoints, load, body)


@router.post("/rollback", responses=openapi.streamed(Swap, *REFUSALS))
async def rollback(body: RollbackRequest, request: Request) -> Response:
    checkpoints = State.of(request).checkpoints
    return await _answered(checkpoints, partial(checkpoints.rollback, body.mode, body.engine), body)


async def _answered(
    checkpoints: Checkpoints, load: Callable[[], Coroutine[Any, Any, Swap]], body: RollbackRequest
) -> Response:
    if not body.stream:
        return JSONResponse(asdict(await load()))
    return StreamingResponse(
        _told(checkpoints, load), media_type="text/event-stream", headers=sse.HEADERS
    )


async def _told(
    checkpoints: Checkpoints, load: Callable[[], Coroutine[Any, Any, Swap]]
) -> AsyncGenerator[str, None]:
    """An event a step, then one with the swap or the error, as they would be without a stream.

    A client that leaves ends the telling, and not the load.
    """
    async with checkpoints.watched() as states:
        loading = checkpoints.kept(load())
        loading.add_done_callback(lambda _: states.put_nowait("idle"))
        while not (loading.done() and states.empty()):
            if (state := await states.get()) != "idle":
                yield sse.event({"state": state})
    try:
        yield sse.event(asdict(await loading))
    except ApiError as error:
        yield sse.event(error.body())
    yield sse.DONE
