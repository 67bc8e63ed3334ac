"""Under which names a server can be asked."""

from pathlib import Path
from typing import Any

import pytest

from server.keys_command import add
from tests.server.serving import saying, served


async def status(name: str, path: str = "/v1/models", **settings: Any) -> int:
    async with served(saying(), **{"allowed_hosts": [], **settings}) as server:
        return (await server.http.get(path, headers={"host": name})).status_code


@pytest.mark.parametrize("port", ["", ":8000", ":"])
@pytest.mark.parametrize("name", ["localhost", "LocalHost", "127.0.0.1", "[::1]"])
async def test_this_machine_is_known_by_its_own_names(name: str, port: str) -> None:
    assert await status(name + port) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "localhost:8000@evil.example",
        "evil.example:localhost",
        "127.0.0.1.evil.example",
        "::1",
        "",
    ],
)
async def test_no_page_of_another_name_is_answered(host: str) -> None:
    for path in ("/v1/models", "/metrics", "/health", "/nothing"):
        assert await status(host, path) == 400


async def test_the_refusal_has_the_apis_shape_and_an_id() -> None:
    async with served(saying(), allowed_hosts=[]) as server:
        response = await server.http.post("/v1/chat/completions", content=b"x" * 100)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert "--allowed-hosts" in error["message"]
    assert response.headers["x-request-id"] == response.json()["request_id"]


async def test_a_refused_page_is_let_read_nothing() -> None:
    asking = {"host": "evil.example", "origin": "http://evil.example"}
    async with served(saying(), allowed_hosts=[], cors_origins=["*"]) as server:
        response = await server.http.get("/v1/models", headers=asking)
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


async def test_other_names_are_given() -> None:
    assert await status("127.8.9.1:80", host="127.8.9.1") == 200
    assert await status("[::1]:80", host="::1") == 200
    assert await status("bide.example", allowed_hosts=["Bide.example"]) == 200
    assert await status("[fe80::1]:80", allowed_hosts=["fe80::1"]) == 200
    assert await status("evil.example", allowed_hosts=["bide.example"]) == 400


async def test_who_is_asked_for_a_key_may_use_any_name_unless_some_are_given(
    tmp_path: Path,
) -> None:
    file = tmp_path / "keys.toml"
    add(file, {"name": "ann"})
    assert await status("any.example", keys=file) == 401
    assert await status("any.example", keys=file, allowed_hosts=["bide.example"]) == 400
    assert await status("any.example", allow_anonymous=True) == 200
    assert await status("any.example", allow_anonymous=True, allowed_hosts=["b.example"]) == 400
