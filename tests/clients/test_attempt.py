"""What comes of one request, whatever a server does."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from clients.asking import CHAT, MESSAGES, asking
from clients.attempt import Outcome, attempt
from tests.clients.fake_server import FakeServer, answering, response, stream

ANSWER = b'{"choices": [{}], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}'
REFUSAL = b'{"error": {"message": "no", "type": "invalid_request_error"}}'
USAGE = b'{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}'


async def outcome(
    pieces: Sequence[bytes],
    status: int = 200,
    streamed: bool = False,
    patience: float | None = None,
    pause: float = 0.0,
) -> tuple[Outcome, FakeServer]:
    async with answering(lambda path, content: pieces, pause) as fake:
        async with httpx.AsyncClient(base_url=fake.url) as http:
            asked = asking("x", CHAT, {"stream": streamed}, status=status, patience=patience)
            found = await attempt(http, asked, "r-1")
        async with asyncio.timeout(30):
            while patience is not None and not fake.cut:
                await asyncio.sleep(0.01)
    return found, fake


async def test_an_answer_and_its_usage() -> None:
    found, fake = await outcome(response(200, ANSWER))
    assert (found.fate, found.status, found.tokens) == ("answered", 200, (5, 7))
    assert fake.asked == [(CHAT, b'{"stream": false}')]


async def test_a_stream_that_ends_as_it_should() -> None:
    found, _ = await outcome(stream(b'{"choices":[]}', USAGE, b"[DONE]"), streamed=True)
    assert (found.fate, found.tokens) == ("answered", (5, 7))


async def test_a_refusal_that_was_to_come() -> None:
    found, _ = await outcome(response(400, REFUSAL), status=400)
    assert (found.fate, found.status) == ("refused", 400)


@pytest.mark.parametrize(
    ("pieces", "status", "streamed", "why"),
    [
        (response(500, REFUSAL), 200, False, "500 instead of 200"),
        (response(200, ANSWER), 400, False, "200 instead of 400"),
        (response(400, b"{}"), 400, False, "no error of the API's shape"),
        (response(400, b"no"), 400, False, "no error of the API's shape"),
        (response(200, b'{"choices": []}'), 200, False, "no answer"),
        (response(200, b"[1]"), 200, False, "no answer"),
        (stream(USAGE), 200, True, "the stream broke off"),
        (stream(b'{"error": {"message": "the engine"}}'), 200, True, "the engine"),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + ANSWER], 200, False, "its x-request-id is None"),
        ([], 200, False, "RemoteProtocolError"),
        ([response(200, ANSWER)[0]], 200, False, "RemoteProtocolError"),
    ],
)
async def test_all_else_is_a_failure_with_its_reason(
    pieces: list[bytes], status: int, streamed: bool, why: str
) -> None:
    found, _ = await outcome(pieces, status, streamed)
    assert found.fate == "failed"
    assert why in found.why


@pytest.mark.parametrize("pieces", [0, 1, 3])
async def test_a_client_that_leaves_a_stream_closes_it(pieces: int) -> None:
    found, _ = await outcome(stream(*[b"{}"] * 100), streamed=True, patience=pieces, pause=0.02)
    assert found.fate == "left"


async def test_a_client_that_does_not_wait_for_a_whole_reply_closes_it() -> None:
    found, fake = await outcome(response(200, ANSWER), patience=0.01, pause=0.5)
    assert found.fate == "left"
    assert len(fake.asked) == 1


async def test_one_that_would_have_left_later_is_answered() -> None:
    async with (
        answering(lambda path, content: response(200, ANSWER)) as fake,
        httpx.AsyncClient(base_url=fake.url) as http,
    ):
        found = await attempt(http, asking("x", CHAT, {}, patience=60), "r-1")
    assert found.fate == "answered"


async def test_each_api_ends_its_streams_in_its_own_way() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nx-request-id: {id}\r\n\r\nevent: message_stop\ndata: {}\n\n"]
    async with (
        answering(lambda path, content: pieces) as fake,
        httpx.AsyncClient(base_url=fake.url) as http,
    ):
        fates = [
            (await attempt(http, asking("x", path, {"stream": True}), "r-1")).fate
            for path in (MESSAGES, CHAT)
        ]
    assert fates == ["answered", "failed"]
