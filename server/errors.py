"""Errors as clients see them: in OpenAI's shape, and below /v1/messages in Anthropic's.

ApiError
├── InvalidRequest      400  names the field
├── Unauthenticated     401
├── Forbidden           403
├── UnknownModel        404
├── UnknownIndex        404
├── CheckpointRefused   409  says why; the weights that were served still are
├── IndexRefused        409
├── TooManyRequests     429  says when to come again
│   ├── RateLimited
│   ├── TooManyAtOnce
│   └── QueueFull
├── InternalError       500
├── SearchUnavailable   502
├── VerifierUnavailable 502
├── EngineUnavailable   503  says when to come again
└── QueueTimeout        503  says when to come again

No message says what only the log is for: paths, traces, texts of exceptions that are not ours.
"""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from decoding.mathematics import MathsUnavailable
from decoding.passages import RetrievalError

log = logging.getLogger(__name__)

ANTHROPIC_PATH = "/v1/messages"
ANTHROPIC_KINDS: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
)
"""By status; any other is an invalid_request_error, or from 500 on an api_error."""


class ApiError(Exception):
    status: int = 500
    kind = "server_error"
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code
        if headers is not None:
            self.headers = headers

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


class CheckpointRefused(ApiError):
    status = 409
    kind = "checkpoint_refused"


class InvalidRequest(ApiError):
    status = 400
    kind = "invalid_request_error"


class Unauthenticated(ApiError):
    status = 401
    kind = "invalid_request_error"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})

    def __init__(self) -> None:
        """The same whatever is wrong: nothing is told about keys that there are."""
        super().__init__(
            "no valid API key: send one as 'Authorization: Bearer …' or as 'x-api-key'",
            code="invalid_api_key",
        )


class Forbidden(ApiError):
    status = 403
    kind = "permission_error"

    def __init__(self) -> None:
        super().__init__("this needs an admin's key", code="insufficient_permissions")


class UnknownModel(ApiError):
    status = 404
    kind = "invalid_request_error"


class UnknownIndex(ApiError):
    status = 404
    kind = "invalid_request_error"


class IndexRefused(ApiError):
    status = 409
    kind = "invalid_request_error"


class TooManyRequests(ApiError):
    status = 429
    kind = "requests"

    def __init__(self, message: str, code: str, retry_after: int) -> None:
        """retry_after: seconds."""
        message = f"{message}; try again in {retry_after} s"
        super().__init__(message, code=code, headers={"Retry-After": str(retry_after)})


class RateLimited(TooManyRequests):
    def __init__(self, limit: int, retry_after: int) -> None:
        message = f"rate limit reached: {limit} requests a minute"
        super().__init__(message, "rate_limit_exceeded", retry_after)


class TooManyAtOnce(TooManyRequests):
    def __init__(self, limit: int) -> None:
        message = f"concurrency limit reached: {limit} requests at once"
        super().__init__(message, "concurrency_limit_exceeded", 1)


class QueueFull(TooManyRequests):
    def __init__(self, queued: int, retry_after: int) -> None:
        message = f"the server is busy: {queued} requests are waiting already"
        super().__init__(message, "queue_full", retry_after)


class QueueTimeout(ApiError):
    status = 503

    def __init__(self, waited: float, retry_after: int) -> None:
        """In seconds."""
        super().__init__(
            f"the server is busy: no place in {waited:.3g} s; try again in {retry_after} s",
            code="queue_timeout",
            headers={"Retry-After": str(retry_after)},
        )


class InternalError(ApiError):
    def __init__(self) -> None:
        super().__init__("internal error", code="internal_error")


class SearchUnavailable(ApiError, RetrievalError):
    status = 502


class VerifierUnavailable(ApiError):
    status = 502


RESTART = 10
"""Seconds after which to come again, where the engine is gone: about what its start takes."""


class EngineUnavailable(ApiError):
    status = 503
    headers = MappingProxyType({"Retry-After": str(RESTART)})

    def __init__(self, message: str, code: str = "engine_unavailable") -> None:
        super().__init__(message, code=code)


def refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> InvalidRequest:
    """Of a status for which there is no class, because nobody catches it."""
    error = InvalidRequest(message)
    error.status, error.headers = status, headers or {}
    return error


def maths_unavailable(error: MathsUnavailable) -> EngineUnavailable:
    """Why is the operator's to know: it may be what a worker said as it died."""
    log.error("formulas cannot be compared: %s", error)
    return EngineUnavailable("formulas cannot be compared now", code="maths_unavailable")


def response(scope: Scope, error: ApiError) -> JSONResponse:
    """In the shape of the API that was asked, with the request's id if it has one."""
    body = anthropic_body(error) if is_anthropic(scope["path"]) else error.body()
    request_id = scope.get("state", {}).get("request_id")
    if request_id is not None:
        body["request_id"] = request_id
    return JSONResponse(body, status_code=error.status, headers=error.headers)


def is_anthropic(path: str) -> bool:
    return path == ANTHROPIC_PATH or path.startswith(f"{ANTHROPIC_PATH}/")


def anthropic_body(error: ApiError) -> dict[str, Any]:
    other = "invalid_request_error" if error.status < 500 else "api_error"
    kind = ANTHROPIC_KINDS.get(error.status, other)
    return {"type": "error", "error": {"type": kind, "message": error.message}}


async def on_api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return response(request.scope, error)


async def on_maths_unavailable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MathsUnavailable)
    return response(request.scope, maths_unavailable(error))


async def on_internal_error(request: Request, _: Exception) -> JSONResponse:
    """Starlette raises the error again once this is sent, and uvicorn logs its trace."""
    return response(request.scope, InternalError())


async def on_invalid_body(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return response(request.scope, invalid_body(error.errors()))


def invalid_body(found: Sequence[Any]) -> InvalidRequest:
    """What pydantic found, as one sentence on one field."""
    first = found[0]
    field = field_name(first["loc"])
    match first["type"]:
        case "extra_forbidden":
            message = f"unknown field: {field}"
        case "json_invalid":
            field, message = "body", f"the body is not JSON: {first['ctx']['error']}"
        case _:
            message = f"{field}: {first['msg']}"
    return InvalidRequest(message, field)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = refusal(error.status_code, str(error.detail), error.headers)
    return response(request.scope, told)


def field_name(location: Sequence[str | int]) -> str:
    """("body", "messages", 0, "role") -> messages[0].role; union branches are left out."""
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part != "body" and part.isidentifier():
            name += f".{part}" if name else part
    return name or "body"
