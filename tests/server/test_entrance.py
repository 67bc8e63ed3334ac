"""Limits, the queue and brown-outs as clients meet them."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from decoding.types import Chunk, Sampling
from server.keys_command import add
from tests.scripted import ScriptedEngine
from tests.server.serving import CHAT_SCOPE, Served, served, small_family

BODY = {"messages": [{"role": "user", "content": "How many r in raspberry?"}]}


class HeldEngine(ScriptedEngine):
    """Thinks and answers, but not before it is let go."""

    def __init__(self, *, thinks: bool = True) -> None:
        family = small_family()
        (end,) = family.codec.encode("</think>")

        def model(token_ids: tuple[int, ...], seed: int | None) -> Iterator[int]:
            answers = end in token_ids or not thinks
            text = "\nThe answer is 3.<|end|>" if answers else "r r\nSo it's 2.\n</think>"
            return iter(family.codec.encode(text))

        super().__init__(family, model)
        self.go = asyncio.Event()

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        self.called.set()
        await self.go.wait()
        async for chunk in super().generate(token_ids, sampling):
            yield chunk


@asynccontextmanager
async def as_key(server: Served, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that key."""
    headers = {"Authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(server.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://bide", headers=headers
    ) as client:
        yield client


async def until(server: Served, *, running: int, queued: int) -> None:
    admission = server.state.admission
    async with asyncio.timeout(5):
        while (admission.running, admission.queued) != (running, queued):
            await asyncio.sleep(0)


async def metrics(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    return {
        sample.name + "".join(f":{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_a_full_queue_refuses_with_a_status_and_serves_the_rest(stream: bool) -> None:
    engine = HeldEngine()
    async with served(engine, max_num_seqs=1, max_queue=1) as server:
        first = asyncio.create_task(server.chat(stream=stream))
        await until(server, running=1, queued=0)
        second = asyncio.create_task(server.chat(stream=stream, n=8))
        await until(server, running=1, queued=1)
        refused = await server.chat(stream=stream)
        engine.go.set()
        replies = await asyncio.gather(first, second)
        await until(server, running=0, queued=0)
        seen = await metrics(server.http)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["type"]) == (429, "queue_full", "requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert [reply.status_code for reply in replies] == [200, 200]
    assert seen["bide_refusals_total:queue_full"] == 1
    assert seen["bide_queue_seconds_count"] == 2
    assert seen["bide_requests_queued"] == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_too_long_a_wait_is_a_status_too(stream: bool) -> None:
    async with served(HeldEngine(), max_num_seqs=1, queue_timeout=0.01) as server:
        first = asyncio.create_task(server.chat())
        await until(server, running=1, queued=0)
        refused = await server.chat(stream=stream)
        first.cancel()
        await until(server, running=0, queued=0)
        seen = await metrics(server.http)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_timeout")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert seen["bide_refusals_total:queue_timeout"] == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_the_queue_leaves_nothing_behind(stream: bool) -> None:
    engine = HeldEngine()
    async with served(engine, max_num_seqs=1) as server:
        first = asyncio.create_task(server.chat())
        await until(server, running=1, queued=0)
        gone, sent = asyncio.Event(), list[Any]()
        leaving = asyncio.create_task(call(server, {**BODY, "stream": stream}, gone, sent))
        await until(server, running=1, queued=1)
        gone.set()
        await until(server, running=1, queued=0)
        async with asyncio.timeout(5):
            await leaving
        engine.go.set()
        assert (await first).status_code == 200
        assert server.state.admission.waiting == 0
        assert len(engine.calls) == 2
    assert [message.get("status") for message in sent if "status" in message] == [499]


@pytest.mark.parametrize("stream", [False, True])
async def test_so_does_one_whose_samples_wait(stream: bool) -> None:
    async with served(HeldEngine(), max_num_seqs=1) as server:
        gone = asyncio.Event()
        body = {**BODY, "n": 4, "stream": stream}
        leaving = asyncio.create_task(call(server, body, gone, []))
        admission = server.state.admission
        async with asyncio.timeout(5):
            while admission.waiting != 3:
                await asyncio.sleep(0)
            gone.set()
            await leaving
        await until(server, running=0, queued=0)
        assert admission.waiting == 0


async def call(server: Served, body: dict[str, Any], gone: asyncio.Event, sent: list[Any]) -> None:
    """Call the app as a server would; the client goes away when `gone` is set."""
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await server.app(dict(CHAT_SCOPE), receive, send)


async def test_a_bad_request_does_not_wait_for_a_place() -> None:
    async with served(HeldEngine(), max_num_seqs=1) as server:
        first = asyncio.create_task(server.chat())
        await until(server, running=1, queued=0)
        async with asyncio.timeout(5):
            bad = [await server.chat(max_tokens=9, thinking_budget=9), await server.chat(n=0)]
        assert server.state.admission.queued == 0
        first.cancel()
    assert [reply.status_code for reply in bad] == [400, 400]


async def test_a_key_has_its_rate(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    limited = add(file, {"name": "limited", "requests_per_minute": 2})
    other = add(file, {"name": "other"})
    engine = HeldEngine()
    engine.go.set()
    async with (
        served(engine, keys=file, open_metrics=True) as server,
        as_key(server, limited) as client,
        as_key(server, other) as free,
    ):
        replies = [await client.post("/v1/chat/completions", json=BODY) for _ in range(3)]
        models = await client.get("/v1/models")
        others = await free.post("/v1/chat/completions", json=BODY)
        seen = await metrics(free)
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    left = [reply.headers["x-ratelimit-remaining-requests"] for reply in replies]
    assert left == ["1", "0", "0"]
    assert {reply.headers["x-ratelimit-limit-requests"] for reply in replies} == {"2"}
    assert replies[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert 25 <= int(replies[2].headers["retry-after"]) <= 30
    assert models.status_code == 200
    assert others.status_code == 200
    assert "x-ratelimit-limit-requests" not in others.headers
    assert seen["bide_refusals_total:rate_limit_exceeded"] == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_has_so_many_requests_at_once(stream: bool, tmp_path: Path) -> None:
    key = add(tmp_path / "keys.toml", {"name": "one", "concurrency": 1})
    engine, body = HeldEngine(), {**BODY, "stream": stream}
    async with (
        served(engine, keys=tmp_path / "keys.toml") as server,
        as_key(server, key) as client,
    ):
        first = asyncio.create_task(client.post("/v1/chat/completions", json=body))
        await until(server, running=1, queued=0)
        second = await client.post("/v1/chat/completions", json=body)
        engine.go.set()
        assert (await first).status_code == 200
        third = await client.post("/v1/chat/completions", json=body)
    assert (second.status_code, third.status_code) == (429, 200)
    assert second.json()["error"]["code"] == "concurrency_limit_exceeded"
    assert second.headers["retry-after"] == "1"


async def test_under_pressure_thoughts_are_shorter_and_say_so() -> None:
    engine = HeldEngine()
    busy: dict[str, Any] = {"max_num_seqs": 1, "max_queue": 4, "brownout": 0.25}
    async with served(engine, **busy, brownout_floor=100, thinking_ceiling=1300) as server:
        tasks = []
        for queued in range(5):
            tasks.append(asyncio.create_task(server.chat(stream=queued == 4)))
            await until(server, running=1, queued=queued)
        engine.go.set()
        replies = await asyncio.gather(*tasks)
        calm = await server.chat()
    thoughts = [reply.json()["choices"][0]["thinking"] for reply in (*replies[:4], calm)]
    assert [thought["budget_tokens"] for thought in thoughts] == [1300, 1300, 900, 500, 1300]
    assert [thought["reduced_from"] for thought in thoughts] == [None, None, 1300, 1300, None]
    said = [reply.headers.get("x-bide-brownout") for reply in (*replies, calm)]
    assert said == [None, None, "1", "1", "1", None]
    assert '"budget_tokens":100,"reduced_from":1300' in replies[4].text


async def test_a_thought_without_a_cap_is_reduced_from_what_the_context_has() -> None:
    engine = HeldEngine()
    busy: dict[str, Any] = {"max_num_seqs": 1, "max_queue": 1, "brownout": 0.5}
    async with served(engine, **busy, brownout_floor=100, answer_reserve=64) as server:
        first = asyncio.create_task(server.chat())
        await until(server, running=1, queued=0)
        second = asyncio.create_task(server.chat(max_tokens=1000))
        await until(server, running=1, queued=1)
        engine.go.set()
        await first
        thought = (await second).json()["choices"][0]["thinking"]
    assert (thought["budget_tokens"], thought["reduced_from"]) == (100, 936)


async def test_a_model_that_does_not_think_has_nothing_to_reduce() -> None:
    engine = HeldEngine(thinks=False)
    busy: dict[str, Any] = {"max_num_seqs": 1, "max_queue": 1, "brownout": 0.0}
    async with served(engine, **busy, markers="none") as server:
        first = asyncio.create_task(server.chat())
        await until(server, running=1, queued=0)
        second = asyncio.create_task(server.chat())
        await until(server, running=1, queued=1)
        engine.go.set()
        await first
        assert (await second).status_code == 200
        assert "x-bide-brownout" not in (await second).headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"input": "How many r?"}),
        (
            "/v1/messages",
            {
                "messages": [{"role": "user", "content": "How many r?"}],
                "max_tokens": 1000,
                "thinking": {"type": "enabled"},
            },
        ),
        (
            "/v1/completions",
            {"prompt": "How many r?\n<think>\n", "max_tokens": 1000, "enable_thinking": True},
        ),
    ],
)
async def test_every_api_comes_in_by_the_same_way(path: str, body: dict[str, Any]) -> None:
    engine = HeldEngine()
    busy: dict[str, Any] = {"max_num_seqs": 1, "max_queue": 1, "brownout": 0.5}
    async with served(engine, **busy, brownout_floor=100) as server:
        first = asyncio.create_task(server.chat())
        await until(server, running=1, queued=0)
        second = asyncio.create_task(server.http.post(path, json=body))
        await until(server, running=1, queued=1)
        refused = await server.http.post(path, json=body)
        engine.go.set()
        await first
        reply = await second
    assert (refused.status_code, reply.status_code) == (429, 200)
    assert "retry-after" in refused.headers
    told = reply.json()
    thought = told["choices"][0]["thinking"] if "choices" in told else told["thinking"]
    assert thought["budget_tokens"] == 100 < thought["reduced_from"]
    assert reply.headers["x-bide-brownout"] == "1"
