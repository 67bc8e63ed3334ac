"""Errors as clients see them, in OpenAI's shape.

ApiError
├── InvalidRequest   400  names the field
├── UnknownModel     404
├── EngineUnavailable 503
└── VerifierUnavailable 502
"""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


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


def response(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body(), status_code=error.status)


async def on_api_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return response(error)


async def on_maths_unavailable(_: Request, error: Exception) -> JSONResponse:
    return response(EngineUnavailable(str(error)))


async def on_invalid_body(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return response(invalid_body(error.errors()))


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
