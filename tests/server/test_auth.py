"""Who is let in, to what, and what the others are told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.auth import presented
from server.keys_command import add
from tests.server.serving import Served, saying, served

SAID = "r r\n</think>", "\nThe answer is 2.<|end|>"


@dataclass
class Guarded:
    served: Served
    user: str
    admin: str

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.served.http.get(path, headers=headers)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


@pytest.fixture
async def guarded(file: Path) -> AsyncIterator[Guarded]:
    user, admin = add(file, {"name": "ann"}), add(file, {"name": "root", "admin": True})
    async with served(saying(*SAID), keys=file) as server:
        yield Guarded(server, user, admin)


async def test_a_key_lets_in(guarded: Guarded) -> None:
    for headers in (
        {"authorization": f"Bearer {guarded.user}"},
        {"Authorization": f"bearer  {guarded.user} "},
        {"x-api-key": guarded.user},
    ):
        assert (await guarded.get("/v1/models", **headers)).status_code == 200


async def test_the_official_client_is_let_in_by_its_key(guarded: Guarded) -> None:
    client = guarded.served.openai.with_options(api_key=guarded.user)
    reply = await client.chat.completions.create(
        model="small", messages=[{"role": "user", "content": "How many r in raspberry?"}]
    )
    assert reply.choices[0].message.content


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer bide-wrong"},
        {"authorization": "Bearer"},
        {"authorization": ""},
        {"authorization": "Basic YTpi"},
        {"x-api-key": ""},
        {"x-api-key": "bide-wrong"},
    ],
)
async def test_nobody_else_is(guarded: Guarded, headers: dict[str, str]) -> None:
    response = await guarded.get("/v1/models", **headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert error["param"] is None


async def test_a_wrong_key_beside_a_right_one_is_a_wrong_key(guarded: Guarded) -> None:
    headers = {"authorization": "Bearer bide-wrong", "x-api-key": guarded.user}
    assert (await guarded.get("/v1/models", **headers)).status_code == 401


async def test_below_messages_the_error_is_anthropics(guarded: Guarded) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        body = (await guarded.get(path)).json()
        assert body["type"] == "error"
        assert body["error"]["type"] == "authentication_error"
        assert set(body["error"]) == {"type", "message"}
    assert "type" not in (await guarded.get("/v1/messages-of-another-kind")).json()


async def test_what_there_is_is_told_to_nobody(guarded: Guarded) -> None:
    there = await guarded.get("/v1/models")
    nothing = await guarded.get("/v1/nothing")
    assert there.status_code == nothing.status_code == 401
    assert there.json()["error"] == nothing.json()["error"]
    for path in ("/docs", "/openapi.json", "/health/", "/metrics"):
        assert (await guarded.get(path)).status_code == 401


async def test_a_strangers_body_is_not_read(guarded: Guarded) -> None:
    read = False
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "query_string": b"",
        "headers": [(b"host", b"bide"), (b"content-type", b"application/json")],
    }
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        nonlocal read
        read = True
        return {"type": "http.request", "body": b"{}"}

    async def send(message: dict[str, object]) -> None:
        if isinstance(status := message.get("status"), int):
            statuses.append(status)

    await guarded.served.app(scope, receive, send)
    assert statuses == [401]
    assert not read


async def test_load_balancers_need_no_key(guarded: Guarded) -> None:
    assert (await guarded.get("/health")).status_code == 200


async def test_metrics_are_for_admins(guarded: Guarded) -> None:
    refused = await guarded.get("/metrics", authorization=f"Bearer {guarded.user}")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "insufficient_permissions"
    allowed = await guarded.get("/metrics", authorization=f"Bearer {guarded.admin}")
    assert allowed.status_code == 200


async def test_metrics_are_open_when_the_settings_say_so(file: Path) -> None:
    add(file, {"name": "ann"})
    async with served(saying(), keys=file, open_metrics=True) as server:
        assert (await server.http.get("/metrics")).status_code == 200
        assert (await server.http.get("/v1/models")).status_code == 401


async def test_without_keys_the_owner_of_the_machine_may_all() -> None:
    async with served(saying()) as server:
        assert (await server.http.get("/v1/models")).status_code == 200
        assert (await server.http.get("/metrics")).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_anonymous_callers_are_no_admins(host: str) -> None:
    async with served(saying(), host=host, allow_anonymous=True) as server:
        assert (await server.http.get("/v1/models")).status_code == 200
        assert (await server.http.get("/metrics")).status_code == 403


async def test_browsers_are_let_ask_only_where_the_settings_say_so(file: Path) -> None:
    add(file, {"name": "ann"})
    asking = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    path = "/v1/chat/completions"
    async with served(saying(), keys=file, cors_origins=["https://app.example"]) as server:
        allowed = await server.http.options(path, headers=asking)
        other = await server.http.options(path, headers={**asking, "origin": "https://b.example"})
        refused = await server.http.get("/v1/models", headers={"origin": "https://app.example"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in other.headers
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"
    async with served(saying(), keys=file) as server:
        answer = await server.http.options(path, headers=asking)
    assert answer.status_code == 401
    assert not [name for name in answer.headers if name.startswith("access-control")]


@given(st.text(st.characters(codec="latin-1"), max_size=20).filter(lambda s: s.lower() != "bearer"))
def test_only_bearer_presents_a_key(scheme: str) -> None:
    assert presented({b"authorization": f"{scheme} key".encode("latin-1")}) != b"key"
