"""Errors as clients see them: in OpenAI's shape, and below /v1/messages in Anthropic's.

ApiError
├── InvalidRequest   400  names the field
├── UnknownModel     404
├── EngineUnavailable 503
└── VerifierUnavailable 502
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

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
    status = 500
    kind = "server_error"

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


class InvalidRequest(ApiError):
    status = 400
    kind = "invalid_request_error"


class UnknownModel(ApiError):
    status = 404
    kind = "invalid_request_error"


class EngineUnavailable(ApiError):
    status = 503


class VerifierUnavailable(ApiError):
    status = 502


def response(scope: Scope, error: ApiError) -> JSONResponse:
    """In the shape of the API that was asked."""
    body = anthropic_body(error) if is_anthropic(scope["path"]) else error.body()
    return JSONResponse(body, status_code=error.status)


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
    return response(request.scope, EngineUnavailable(str(error)))


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


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    body = {
        "error": {
            "message": str(error.detail),
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


def field_name(location: Sequence[str | int]) -> str:
    """("body", "messages", 0, "role") -> messages[0].role; union branches are left out."""
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part != "body" and part.isidentifier():
            name += f".{part}" if name else part
    return name or "body"
