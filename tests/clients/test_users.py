"""Users note which weights wrote each reply, and what was no whole one."""

import argparse
import asyncio
import json
from collections.abc import Sequence

import httpx
import pytest

from clients.users import Broken, Crowd, Told, asked, crowd, lines, told
from clients.wire import BideError
from tests.clients.fake_server import answering, response, stream


def chunk(text: str, version: str) -> bytes:
    delta = {"choices": [{"delta": {"content": text}}], "system_fingerprint": version}
    return json.dumps(delta).encode()


def spoken(*chunks: tuple[str, str]) -> list[bytes]:
    return stream(*(chunk(*each) for each in chunks), b"[DONE]")


async def one(pieces: Sequence[bytes]) -> Told:
    async with (
        answering(lambda *_: pieces) as fake,
        httpx.AsyncClient(base_url=fake.url) as http,
    ):
        return await told(http, "m", "Why?")


async def test_a_whole_reply() -> None:
    reply = await one(spoken(("", "m/v1"), ("Be", "m/v1"), ("cause.", "m/v1+m/v2")))
    assert reply.text == "Because."
    assert reply.versions == {"m/v1", "m/v1+m/v2"}
    assert 0 < reply.first < reply.seconds


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        (response(503, b"busy"), "503: b'busy'"),
        (stream(chunk("Be", "m/v1")), "ended before it was done"),
        (stream(b'{"error": {"message": "the engine has stopped"}}'), "the engine has stopped"),
    ],
)
async def test_what_is_no_reply(pieces: Sequence[bytes], says: str) -> None:
    with pytest.raises(Broken, match=says):
        await one(pieces)


async def test_a_crowd_asks_until_it_is_left_and_is_answered_first() -> None:
    def answer(_: str, body: bytes) -> Sequence[bytes]:
        question = json.loads(body)["messages"][0]["content"]
        return response(500, b"no") if question == "bad" else spoken((question, "m/v1"))

    async with (
        answering(answer, pause=0.001) as fake,
        httpx.AsyncClient(base_url=fake.url) as http,
        crowd(http, "m", ["a", "b", "bad"], 3) as found,
    ):
        while len(found.replies) < 5 or not found.failures:
            await asyncio.sleep(0.001)
    assert {each.text for each in found.replies} == {"a", "b"}
    assert len(fake.asked) == len(found.replies) + len(found.failures)


async def test_what_goes_wrong_beside_the_crowd_is_told_as_it_is() -> None:
    async with (
        answering(lambda *_: spoken(("a", "m/v1")), pause=0.001) as fake,
        httpx.AsyncClient(base_url=fake.url) as http,
    ):
        with pytest.raises(BideError, match="no such version"):
            async with crowd(http, "m", ["a"], 2):
                raise BideError("no such version")


async def test_the_command_asks_for_a_while() -> None:
    def answer(path: str, _: bytes) -> Sequence[bytes]:
        models = b'{"data": [{"id": "m"}]}'
        return response(200, models) if path == "/v1/models" else spoken(("a", "m/v1"))

    async with answering(answer, pause=0.001) as fake:
        found = await asked(argparse.Namespace(url=fake.url, streams=2, minutes=0.001))
    assert found.replies
    assert "0 failed, 0 of more than one version" in lines(found)[-2]


def test_what_is_said_of_mixed_replies() -> None:
    both = Told("Why?", frozenset({"m/v1", "m/v1+m/v2"}), "", 0.1, 0.2)
    said = lines(Crowd([both], ["503: busy"]))
    assert said[0] == "failed: 503: busy"
    assert "1 failed, 1 of more than one version" in said[2]
