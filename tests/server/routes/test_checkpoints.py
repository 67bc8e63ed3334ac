"""`/v1/checkpoints`, and how responses name the weights that wrote them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from server.keys_command import add
from tests.checkpoints import CONFIG, checkpoint
from tests.server.serving import saying, served
from training.registry import Registry

ANSWER = "One.\n</think>", "\nTwo.<|end|>"


def events(reply: httpx.Response) -> list[Any]:
    *told, done = [line for line in reply.text.splitlines() if line]
    assert done == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in told]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.publish(checkpoint(tmp_path / f"model{seed}", {"a": torch.rand(3)}), "mini")
    found.tag("mini", "stable", "v1")
    return found


async def test_replies_name_the_version_that_wrote_them(registry: Registry) -> None:
    model = str(registry.resolve("mini", "v1").folder)
    engine = saying(*ANSWER, *ANSWER)
    async with served(engine, registry=registry.root, model=model) as server:
        before = await server.chat()
        loaded = await server.http.post("/v1/checkpoints/load", json={"name": "mini"})
        after = await server.chat()
        listed = (await server.http.get("/v1/checkpoints")).json()
        back = await server.http.post("/v1/checkpoints/rollback", json={})
    assert before.json()["system_fingerprint"] == before.headers["x-bide-checkpoint"] == "mini/v1"
    assert loaded.json()["version"] == "mini/v2"
    assert after.json()["system_fingerprint"] == after.headers["x-bide-checkpoint"] == "mini/v2"
    assert listed["served"] == "mini/v2"
    assert listed["available"] == [
        {"name": "mini", "versions": ["v1", "v2"], "tags": {"stable": "v1"}}
    ]
    assert back.json()["version"] == "mini/v1"


async def test_a_load_tells_its_steps(registry: Registry) -> None:
    model = str(registry.resolve("mini", "v1").folder)
    async with served(saying(), registry=registry.root, model=model) as server:
        asked = {"name": "mini", "stream": True}
        told = events(await server.http.post("/v1/checkpoints/load", json=asked))
        states = ["checking", "draining", "swapping", "proving"]
        assert told[:-1] == [{"state": each} for each in states]
        assert (told[-1]["version"], told[-1]["failed"]) == ("mini/v2", None)
        refused = events(
            await server.http.post("/v1/checkpoints/load", json={**asked, "version": "v9"})
        )
        (error,) = refused
        assert "no version 'v9'" in error["error"]["message"]
        back = events(await server.http.post("/v1/checkpoints/rollback", json={"stream": True}))
        assert back[-1]["version"] == "mini/v1"


async def test_another_engine_takes_over_between_two_requests(
    registry: Registry, tmp_path: Path
) -> None:
    config = {**CONFIG, "hidden_size": 8}
    registry.publish(checkpoint(tmp_path / "wide", config=config), "wide")
    model = str(registry.resolve("mini", "v1").folder)
    first, second = saying(*ANSWER, stalls=True), saying(*ANSWER)
    async with served(first, beside=second, registry=registry.root, model=model) as server:
        asking = asyncio.create_task(server.chat())
        await first.called.wait()
        loaded = await server.http.post(
            "/v1/checkpoints/load", json={"name": "wide", "engine": "new"}
        )
        assert loaded.json()["engine"] == "new"
        after = await server.chat()
        assert after.json()["system_fingerprint"] == "wide/v1"
        assert (len(first.calls), len(second.calls)) == (1, 2)
        assert first.swaps == []
        asking.cancel()
        while not first.swaps:
            await asyncio.sleep(0.001)
    assert first.swaps == ["close"]


async def test_refusals(registry: Registry) -> None:
    async with served(saying()) as server:
        none = await server.http.post("/v1/checkpoints/load", json={"name": "mini"})
        wrong = await server.http.post("/v1/checkpoints/load", json={"name": "mini", "mode": "now"})
    assert none.status_code == 409
    assert "--registry" in none.json()["error"]["message"]
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "mode")
    contrary = {"name": "mini", "mode": "immediate", "engine": "new"}
    async with served(saying(), registry=registry.root) as server:
        reply = await server.http.post("/v1/checkpoints/load", json=contrary)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "engine")


async def test_only_admins(tmp_path: Path, registry: Registry) -> None:
    keys = tmp_path / "keys.toml"
    key = add(keys, {"name": "user"})
    async with served(saying(), keys=keys, registry=registry.root) as server:
        headers = {"Authorization": f"Bearer {key}"}
        for method, path in (("GET", ""), ("POST", "/load"), ("POST", "/rollback")):
            reply = await server.http.request(
                method, f"/v1/checkpoints{path}", headers=headers, json={"name": "mini"}
            )
            assert reply.status_code == 403


async def test_token_ids_are_told_where_they_are_asked_for() -> None:
    engine = saying(*ANSWER)
    async with served(engine) as server:
        reply = (await server.chat(return_token_ids=True)).json()
        refused = await server.chat(return_token_ids=True, stream=True)
    assert tuple(reply["prompt_token_ids"]) == engine.calls[0].token_ids
    (choice,) = reply["choices"]
    assert len(choice["token_ids"]) == reply["usage"]["completion_tokens"]
    assert refused.json()["error"]["param"] == "return_token_ids"
