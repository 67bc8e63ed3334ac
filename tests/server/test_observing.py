"""Ids, counts, times and log lines of requests."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from server.keys_command import add
from server.logs import FIELDS, Json, Text
from tests.scripted import hashed
from tests.server.routes.test_chat import DyingEngine, leave_midway
from tests.server.routes.test_vote import drawn
from tests.server.serving import Served, saying, served, small_family

THOUGHT, ANSWER = "r r\nSo it's 2.\n</think>", "\nThe answer is 2.<|end|>"
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "server")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [getattr(r, FIELDS) for r in caplog.records if r.name == "server.access"]


async def count(server: Served, series: str) -> float:
    text = (await server.http.get("/metrics")).text
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return float(found.get(series, 0))


async def test_a_line_tells_what_came_of_a_request(caplog: pytest.LogCaptureFixture) -> None:
    async with served(saying(THOUGHT, THOUGHT, ANSWER)) as server:
        usage = (await server.chat(thinking={"waits": 1})).json()["usage"]
    (line,) = lines(caplog)
    assert line.pop("seconds") > 0
    assert line == {
        "method": "POST",
        "route": CHAT,
        "status": 200,
        "caller": "anybody",
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "reasoning_tokens": usage["completion_tokens_details"]["reasoning_tokens"],
        "waits": 1,
        "finish": "stop",
    }


async def test_a_stream_and_a_vote_have_one_line_too(caplog: pytest.LogCaptureFixture) -> None:
    async with served(drawn()) as server:
        await server.chat(stream=True)
        await server.chat(vote={"n": 2, "stop": "never"})
    streamed, voted = lines(caplog)
    assert (streamed["finish"], streamed["status"]) == ("stop", 200)
    assert "client_left" not in streamed
    assert voted["samples"] == 2
    assert voted["completion_tokens"] == 2 * streamed["completion_tokens"]


@pytest.mark.parametrize(("stream", "after", "status"), [(True, 3, 200), (False, 0, 499)])
async def test_a_client_that_leaves_is_told_apart(
    stream: bool, after: int, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(saying(THOUGHT, stalls=True)) as server:
        await leave_midway(server, {"stream": stream}, after)
        assert await count(server, f'bide_requests_abandoned_total{{route="{CHAT}"}}') == 1
        assert await count(server, "bide_requests_in_flight") == 1  # this one
    line = lines(caplog)[0]
    assert (line["status"], line["client_left"]) == (status, True)


async def test_ids_are_the_clients_where_they_are_sane(caplog: pytest.LogCaptureFixture) -> None:
    async with served(saying()) as server:
        for asked, kept in (("a-1/b", True), ("a b", False), ("x" * 129, False), ("", False)):
            response = await server.http.get("/v1/models", headers={"x-request-id": asked})
            (found,) = response.headers.get_list("x-request-id")
            assert (found == asked) is kept
            assert kept or re.fullmatch("[0-9a-f]{32}", found)


async def test_every_line_of_a_request_has_its_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(Json())
    family = small_family()
    async with served(DyingEngine(family, hashed(family.codec.encode("ab")))) as server:
        await server.http.post(
            CHAT,
            json={"messages": [{"role": "user", "content": "?"}]},
            headers={"x-request-id": "mine"},
        )
    written = [json.loads(line) for line in caplog.text.splitlines()]
    ours = [line for line in written if line["logger"].startswith("server")]
    assert ours
    assert {line["request_id"] for line in ours} == {"mine"}


async def test_series_are_few_whatever_clients_send() -> None:
    async with served(saying()) as server:
        for number in range(3):
            await server.http.request(f"ODD{number}", f"/nothing/{number}")
            await server.http.get(f"/v1/models/none{number}")
        unknown = 'bide_requests_total{method="other",route="unknown",status="404"}'
        model = 'bide_requests_total{method="GET",route="/v1/models/{name:path}",status="404"}'
        assert await count(server, unknown) == 3
        assert await count(server, model) == 3
        duration = 'bide_request_duration_seconds_count{route="unknown"}'
        assert await count(server, duration) == 3


async def test_an_error_of_ours_is_counted() -> None:
    async with served(saying()) as server:

        @server.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("a secret")

        assert (await server.http.get("/broken")).status_code == 500
        series = 'bide_requests_total{method="GET",route="/broken",status="500"}'
        assert await count(server, series) == 1
        assert not await count(server, 'bide_requests_abandoned_total{route="/broken"}')


async def test_the_caller_is_named(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    key = add(file, {"name": "ann"})
    async with served(saying(), keys=file) as server:
        await server.http.get("/v1/models", headers={"x-api-key": key})
    assert lines(caplog)[0]["caller"] == "ann"
    assert key not in caplog.text


@pytest.mark.parametrize("formatter", [Json(), Text()])
async def test_no_prompt_and_no_answer_is_in_a_log_or_an_error(
    formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(formatter)
    secret = "hunter2"
    asking = {"role": "user", "content": secret}
    bodies: list[Any] = [
        {"messages": [asking]},
        {"messages": [asking], "stream": True},
        {"messages": [asking], "max_tokens": 0},
        {"messages": [asking], "temperature": secret},
        {"messages": [{"role": secret, "content": secret}]},
        {"messages": [{"role": "user", "content": {"text": secret}}]},
        {"messages": [{"role": "user", "content": secret * 3000}]},
        {"messages": secret},
        secret,
    ]
    engine = saying(*[THOUGHT.replace("r r", secret), ANSWER] * 3)
    errors = []
    async with served(engine, log_level="debug") as server:
        for body in bodies:
            response = await server.http.post(CHAT, json=body)
            if response.status_code != 200:
                errors.append(response.text)
        errors.append((await server.http.post(CHAT, content=f'{{"{secret}')).text)
    assert len(errors) == len(bodies) - 1
    assert not [error for error in errors if secret in error]
    ours = "\n".join(
        formatter.format(r)
        for r in caplog.records
        if r.name.split(".")[0] in ("server", "decoding")
    )
    assert len(lines(caplog)) == len(bodies) + 1
    assert secret not in ours


async def test_what_is_polled_is_logged_at_debug_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with served(saying()) as server:
        await server.http.get("/health")
        await server.http.get("/v1/models")
    assert [record.levelname for record in caplog.records if record.name == "server.access"] == [
        "DEBUG",
        "INFO",
    ]
