"""The bench of swaps finds every reply that is not its version's own."""

import json
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from clients.swaps import Pair, Plan, Report, exchanged, judge, lines
from clients.users import Crowd, Told
from clients.wire import BideError
from tests.clients.fake_server import answering, response
from tests.clients.test_users import spoken

ALONE = {"m/v1": {"Why?": frozenset({"a", "a."})}, "m/v2": {"Why?": frozenset({"b"})}}


def reply(text: str, *versions: str) -> Told:
    return Told("Why?", frozenset(versions), text, 0.1, 0.2)


def test_every_reply_is_judged() -> None:
    report = Report()
    good = [reply("a", "m/v1"), reply("a.", "m/v1"), reply("b", "m/v2")]
    bad = [reply("b", "m/v1"), reply("a", "m/v1", "m/v2"), reply("c", "m/v2")]
    judge(report, Crowd([*good, *bad], ["503"]), ALONE)
    assert report.replies == {"m/v1": 3, "m/v2": 2, "m/v1+m/v2": 1}
    assert report.failed == ["503"]
    assert report.mixed == ["m/v1: Why? 'b'", "m/v1+m/v2: Why?"]
    assert report.unlike == ["m/v2: Why? 'c'"]
    assert not report.passed


class Server:
    """Says what its version says, or always the same."""

    def __init__(self, *, same: bool = False) -> None:
        self.version, self._same = "v1", same

    def __call__(self, path: str, body: bytes) -> Sequence[bytes]:
        if path == "/v1/models":
            return response(200, b'{"data": [{"id": "m"}]}')
        if path == "/v1/checkpoints/load":
            self.version = json.loads(body)["version"]
            return response(200, b'{"seconds": 0.2, "swapping": 0.1}')
        said = "same" if self._same else self.version
        return spoken((said, f"m/{self.version}"))


async def swapped(tmp_path: Path, server: Server) -> Report:
    for version in ("v1", "v2"):
        folder = tmp_path / "m" / version
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x" * 1000)
    pair = Pair(tmp_path, "m", ("v1", "v2"))
    plan = Plan(streams=2, swaps=4, pause=0.05, alone=0.3)
    async with (
        answering(server, pause=0.001) as fake,
        httpx.AsyncClient(base_url=fake.url) as http,
    ):
        return await exchanged(http, pair, plan)


async def test_swaps_are_counted_and_timed(tmp_path: Path) -> None:
    report = await swapped(tmp_path, Server())
    assert report.swapping == [0.1] * 4
    assert report.failed == []
    assert len(report.reading) == 5
    assert "a swap takes" in lines(report)[-1]


async def test_versions_that_answer_alike(tmp_path: Path) -> None:
    with pytest.raises(BideError, match="m/v1 and m/v2 answer alike"):
        await swapped(tmp_path, Server(same=True))
