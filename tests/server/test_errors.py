"""What clients are told of what went wrong, and what they are not."""

import logging
from typing import Any

import pytest

from decoding.mathematics import MathsUnavailable
from server import errors
from tests.server.serving import saying, served

SECRET = "/home/someone/secret.bin"


async def test_an_exception_that_nobody_meant_says_nothing_of_itself() -> None:
    async with served(saying()) as server:

        @server.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError(SECRET)

        response = await server.http.get("/broken", headers={"x-request-id": "req-7"})
    assert response.status_code == 500
    assert response.headers.get_list("x-request-id") == ["req-7"]
    assert response.json() == {
        "error": {
            "message": "internal error",
            "type": "server_error",
            "param": None,
            "code": "internal_error",
        },
        "request_id": "req-7",
    }


async def test_what_a_worker_said_is_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        told = errors.maths_unavailable(MathsUnavailable(SECRET))
    assert SECRET not in str(told.body())
    assert SECRET in caplog.text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_anthropics_kinds_follow_the_status(status: int, kind: str) -> None:
    scope: dict[str, Any] = {"path": "/v1/messages", "state": {}}
    response = errors.response(scope, errors.refusal(status, "no"))
    assert response.status_code == status
    assert bytes(response.body) == (
        b'{"type":"error","error":{"type":"%s","message":"no"}}' % kind.encode()
    )
