"""A soak of a server that is right, and of some that are not."""

import asyncio
import io
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from clients.asking import CHAT, COMPLETIONS, MESSAGES, RESPONSES
from clients.bench import main
from clients.memory import Growth
from clients.overhead import Rival
from clients.slope import Slope
from clients.soak import Load, Soak, soak, table, verdicts
from clients.wire import BideError

LOAD = Load(seconds=1.0, warm_up=0.0, at_once=8, seed=0, kv_cache=0)
USAGE = {"prompt_tokens": 3, "completion_tokens": 4}
REFUSAL = {"error": {"message": "no", "type": "invalid_request_error"}}
ENDS = {
    CHAT: b"data: [DONE]",
    COMPLETIONS: b"data: [DONE]",
    RESPONSES: b"event: response.completed",
    MESSAGES: b"event: message_stop",
}


@dataclass
class Bookkeeper:
    """An application that refuses, answers and counts as Bide does, if it is not told otherwise.

    lost: it counts each n-th request not at all. stuck: programs that never end. wasted: tokens
    that it counts too many. wrong: the status of what it should refuse.
    """

    lost: int = 0
    stuck: int = 0
    wasted: int = 0
    wrong: int = 0
    responses: Counter[tuple[str, int]] = field(default_factory=Counter)
    abandoned: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    prompts: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            content = await reader.readexactly(int(found[1]) if found else 0)
        except asyncio.IncompleteReadError:
            writer.close()
            return
        path = head.split(b" ")[1].decode()
        told = re.search(rb"(?i)x-request-id: (\S+)", head)
        request_id = told[1] if told else b"none"
        if path == "/metrics":
            status, body = 200, self.exposition().encode()
        elif path == "/v1/models":
            status, body = 200, json.dumps({"data": [{"id": "m"}]}).encode()
        else:
            status, body = self.answer(path, content)
            await asyncio.sleep(0.005)
            gone = reader.at_eof()
            self.note(path if path in ENDS and status != 413 else "unknown", status, gone)
        writer.write(
            b"HTTP/1.1 %d X\r\nx-request-id: %s\r\nconnection: close\r\n\r\n" % (status, request_id)
            + body
        )
        writer.close()

    def note(self, route: str, status: int, gone: bool) -> None:
        if not self.lost or sum(self.responses.values()) % self.lost:
            self.responses[route, 499 if gone else status] += 1
        elif not gone:
            self.responses["lost", status] += 1
        self.abandoned[route] += gone

    def answer(self, path: str, content: bytes) -> tuple[int, bytes]:
        status = self.status(path, content)
        if status != 200:
            return self.wrong or status, json.dumps(REFUSAL).encode()
        self.prompts += USAGE["prompt_tokens"]
        self.tokens += USAGE["completion_tokens"] + self.wasted
        usage = json.dumps({"usage": USAGE, "choices": [{}], "output": [1], "content": [1]})
        return 200, b"data: " + usage.encode() + b"\n\n" + ENDS[path] if json.loads(content).get(
            "stream"
        ) else usage.encode()

    def status(self, path: str, content: bytes) -> int:
        if len(content) > 8 << 20:
            return 413
        if path not in ENDS:
            return 404
        try:
            body = json.loads(content)
        except ValueError:
            return 400
        form = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        if "temprature" in body or body.get("temperature") == "warm" or "thinking_budget" in body:
            return 400
        if form.get("type") == "nonsense":
            return 400
        return 404 if body["model"] == "nobody" else 200

    def exposition(self) -> str:
        lines = [
            *(
                f'bide_requests_total{{route="{route}",status="{status}"}} {count}'
                for (route, status), count in self.responses.items()
            ),
            *(
                f'bide_requests_abandoned_total{{route="{route}"}} {count}'
                for route, count in self.abandoned.items()
            ),
            f'bide_tokens_total{{phase="prompt"}} {self.prompts}',
            f'bide_tokens_total{{phase="content"}} {self.tokens}',
            f"bide_programs_running {self.stuck}",
            "bide_requests_in_flight 1",
        ]
        return "\n".join(lines) + "\n"


@asynccontextmanager
async def keeping(books: Bookkeeper) -> AsyncGenerator[Rival, None]:
    async with await asyncio.start_server(books, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        yield Rival("bide", f"http://{host}:{port}")


async def soaked(books: Bookkeeper) -> Soak:
    async with keeping(books) as server:
        return await soak(server, LOAD)


async def test_a_server_that_is_right_passes() -> None:
    found = await soaked(Bookkeeper())
    assert (found.failures, found.wrong) == ([], [])
    assert found.passed
    assert found.requests > LOAD.at_once
    assert sum(map(sum, (counts.values() for counts in found.fates.values()))) == found.requests + 1


async def test_what_metrics_lose_is_found() -> None:
    found = await soaked(Bookkeeper(lost=5))
    assert not found.passed
    assert any("the metrics tell" in each for each in found.wrong)


async def test_what_never_ends_is_found() -> None:
    found = await soaked(Bookkeeper(stuck=2))
    assert found.settled is None
    assert "bide_programs_running is 2" in found.wrong


async def test_a_token_that_nobody_was_told_of_is_found() -> None:
    found = await soaked(Bookkeeper(wasted=1))
    assert found.wrong == ["180 completion tokens in the usages, the metrics tell 225"]


async def test_failures_are_told_with_their_ids_and_at_most_ten_of_them() -> None:
    found = await soaked(Bookkeeper(wrong=500))
    assert not found.passed
    assert found.failed >= len(found.failures) > 0
    assert len(found.failures) <= 10
    assert re.match(r"soak-\d+ \(.+\): 500 instead of 4\d\d", found.failures[0])


async def test_a_server_that_is_not_there_is_one_error() -> None:
    with pytest.raises(BideError, match="no answer from http://127"):
        await soak(Rival("bide", "http://127.0.0.1:9"), LOAD)


async def test_metrics_that_are_closed_are_said_to_be() -> None:
    async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = b"403" if b"/metrics" in head else b"200"
        writer.write(b"HTTP/1.1 %s X\r\nconnection: close\r\n\r\n" % status)
        writer.write(b'{"data": [{"id": "m"}]}')
        writer.close()

    async with await asyncio.start_server(closed, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        with pytest.raises(BideError, match="403: it needs an admin's key"):
            await soak(Rival("bide", f"http://{host}:{port}"), LOAD)


def test_the_table_and_the_verdicts_tell_all() -> None:
    growth = Growth(Slope(12.0, -3.0, 27.0), Slope(0.5, -0.1, 1.1), 1234.5, "flat")
    found = Soak(LOAD, requests=5, seconds=600, settled=0.3, growth=growth)
    found.fates = {"waits": {"answered": 3, "left": 1}, "wrong type": {"refused": 1}}
    console = Console(file=io.StringIO(), width=100)
    console.print(table(found))
    assert isinstance(console.file, io.StringIO)
    rows = [re.findall(r"[\w ,]+", line) for line in console.file.getvalue().splitlines()]
    assert [cell.strip() for row in rows for cell in row if row[0].strip() == "all"] == [
        *("all", "3", "1", "1", "0")
    ]
    lines = "\n".join(verdicts(found))
    for part in (
        "20.0% were left",
        "idle 0.3 s",
        "1,234 MiB above",
        "+12.00 (95%: -3.00 to +27.00)",
        "flat",
    ):
        assert part in lines


def test_bench_has_it_as_a_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["soak", "--url", "http://127.0.0.1:9", "--minutes", "0.01"]
    monkeypatch.setattr("sys.argv", ["bide bench", *arguments])
    assert main() == 1
    assert capsys.readouterr().err.startswith("bide bench soak: no answer from http://127.0.0.1:9")
