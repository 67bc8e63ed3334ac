"""What the OpenAPI document says of an operation's responses: those that there can be."""

from typing import Any

from fastapi import FastAPI

from server.schema.replies import OpenAIError

Responses = dict[int | str, dict[str, Any]]

BODY = (400, 413)
"""Of a body that is wrong, or too large."""
MODEL = (404,)
GENERATION = (*BODY, *MODEL, 429, 502, 503)

EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
EVENTS: dict[str, Any] = {"text/event-stream": {"schema": EVENT}}
MEANINGS = {
    400: "The request is wrong; the message names the field",
    401: "No valid API key",
    403: "Not an admin's key",
    404: "There is no such model, or index",
    409: "It cannot be done; the message says why, and nothing has changed",
    413: "The body is too large",
    429: "Too many requests; Retry-After says when to come again",
    500: "A fault of the server",
    502: "A verifier did not answer",
    503: "The engine does not answer, or had no place in time",
}


def refusals(*statuses: int, shape: type = OpenAIError, open_to_all: bool = False) -> Responses:
    """500 is always among them, and 401 unless everybody may ask."""
    found = {*statuses, 500, *(() if open_to_all else (401,))}
    return {status: {"model": shape, "description": MEANINGS[status]} for status in sorted(found)}


def generation(reply: type, shape: type = OpenAIError) -> Responses:
    """Of a reply that comes whole, or in events."""
    return streamed(reply, *GENERATION, shape=shape)


def streamed(reply: type, *statuses: int, shape: type = OpenAIError) -> Responses:
    return {200: {"model": reply, "content": EVENTS}, **refusals(*statuses, shape=shape)}


def condition(reply: type) -> Responses:
    """Of an operation whose refusal is an answer of the same shape, and open to all."""
    answers: Responses = {
        200: {"model": reply},
        503: {"model": reply, "description": MEANINGS[503]},
    }
    return {**answers, **refusals(open_to_all=True)}


class Documented(FastAPI):
    """An application whose document says that a wrong body is a 400, and no 422 of FastAPI's."""

    def __init__(self, *, asks_for_keys: bool, **more: Any) -> None:
        super().__init__(**more)
        self._asks_for_keys = asks_for_keys

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for operation in _operations(document):
                operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(name, None)
            if self._asks_for_keys:
                _secure(document)
        return super().openapi()


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for path in document["paths"].values() for each in path.values()]


def _secure(document: dict[str, Any]) -> None:
    """What may be answered 401 needs a key, under either name."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    for operation in _operations(document):
        if "401" in operation["responses"]:
            operation["security"] = [{"bearer": []}, {"x-api-key": []}]
