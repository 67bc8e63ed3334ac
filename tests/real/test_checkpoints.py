"""Weights exchanged on the real engine: under load, and those that it could not have served."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from server.config import RELEASED
from tests.real.conftest import Swapped
from tests.real.process import engine_of, wait_until_ready
from tests.real.swapping import altered, serve
from training.registry import Registry, Version

pytestmark = pytest.mark.real

QUESTION = {"messages": [{"role": "user", "content": "How many r in raspberry?"}], "temperature": 0}
SWAPS = 10


def test_swaps_under_load_mix_no_answers(swapped: Swapped) -> None:
    url = swapped.url

    async def run() -> tuple[dict[str, set[str]], int]:
        said: dict[str, set[str]] = {}
        over = asyncio.Event()
        answered = 0
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:

            async def ask() -> None:
                nonlocal answered
                while not over.is_set():
                    reply = await client.post("/v1/chat/completions", json=QUESTION)
                    assert reply.status_code == 200, reply.text
                    body = reply.json()
                    said.setdefault(body["system_fingerprint"], set()).add(text_of(body))
                    answered += 1

            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(ask())
                for number in range(SWAPS):
                    wanted = {"name": "mini", "version": f"v{2 - number % 2}"}
                    loaded = await client.post("/v1/checkpoints/load", json=wanted)
                    assert loaded.status_code == 200, loaded.text
                over.set()
        return said, answered

    said, answered = asyncio.run(run())
    assert said.keys() == {"mini/v1", "mini/v2"}
    assert answered >= SWAPS
    alone = {version: asyncio.run(asked_of(url, version)) for version in ("v1", "v2")}
    assert alone["v1"] != alone["v2"]
    # In batches of other sizes sums round differently, and a text may end otherwise: but no text
    # of one version is one of the other's, and each version's begins as it does alone.
    assert not said["mini/v1"] & said["mini/v2"]
    for version, text in alone.items():
        assert any(each[:40] == text[:40] for each in said[f"mini/{version}"])


async def asked_of(url: str, version: str) -> str:
    await asyncio.to_thread(serve, url, version)
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        return await asked(client)


async def asked(client: httpx.AsyncClient) -> str:
    reply = await client.post("/v1/chat/completions", json=QUESTION)
    assert reply.status_code == 200, reply.text
    return text_of(reply.json())


def text_of(body: Any) -> str:
    message = body["choices"][0]["message"]
    return f"{message['reasoning']}|{message['content']}"


def test_a_request_in_flight_goes_on_under_the_new_weights(swapped: Swapped) -> None:
    async def run() -> Any:
        await asked_of(swapped.url, "v1")
        long = QUESTION | {"thinking": {"min_tokens": 500}, "max_tokens": 600}
        async with httpx.AsyncClient(base_url=swapped.url, timeout=120) as client:
            asking = asyncio.create_task(client.post("/v1/chat/completions", json=long))
            await asyncio.sleep(0.5)
            wanted = {"name": "mini", "version": "v2", "mode": "immediate"}
            loaded = await client.post("/v1/checkpoints/load", json=wanted)
            assert loaded.status_code == 200, loaded.text
            return (await asking).json()

    body = asyncio.run(run())
    assert body["system_fingerprint"] == "mini/v1+mini/v2"
    assert body["choices"][0]["thinking"]["tokens"] >= 500


def cut(version: Version) -> None:
    weights = version.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])


def half_written(version: Version) -> None:
    (version.folder / "COMPLETE").unlink()
    (version.folder / "manifest.json").unlink()
    cut(version)


def linked_out(version: Version) -> None:
    weights, outside = version.folder / "model.safetensors", version.folder.parent / "outside"
    weights.rename(outside)
    weights.symlink_to(outside)


DAMAGES: dict[str, tuple[Callable[[Version], object], str]] = {
    "truncated": (cut, "its hash differs"),
    "missing-shard": (lambda v: (v.folder / "model.safetensors").unlink(), "is missing"),
    "no-marker": (lambda v: (v.folder / "COMPLETE").unlink(), "no version 'v1'"),
    "half-written": (half_written, "no version 'v1'"),
    "pickle": (lambda v: (v.folder / "model.bin").write_bytes(b"."), "only safetensors"),
    "symlink-out": (linked_out, "is a link"),
}
"""Done to a whole version."""


def short(name: str, weights: torch.Tensor) -> torch.Tensor:
    return weights[:-1].clone() if name == "model.norm.weight" else weights


def no_number(name: str, weights: torch.Tensor) -> torch.Tensor:
    return weights / 0 if name == "model.norm.weight" else weights


def bad_checkpoints(registry: Registry, scratch: Path) -> Iterator[tuple[str, str]]:
    """Names in the registry, and what is to be said of each."""
    for name, (damage, says) in DAMAGES.items():
        damage(registry.publish(RELEASED, name))
        yield name, says
    for name, change, says in (
        ("wrong-shape", short, "and the engine's is (128,)"),
        ("no-number", no_number, "no numbers"),
    ):
        registry.publish(altered(RELEASED, scratch / name, change), name)
        yield name, says
    other = altered(RELEASED, scratch / "tokenizer", lambda _, weights: weights)
    (other / "tokenizer_config.json").write_text('{"eos_token": "<think>"}')
    registry.publish(other, "other-tokenizer")
    yield "other-tokenizer", "its tokenizer or template is another one"
    yield "nothing", "nothing has no version"
    yield "..", "cannot be a checkpoint's name"


def test_bad_checkpoints_are_refused_while_users_notice_nothing(
    swapped: Swapped, tmp_path: Path
) -> None:
    bad = list(bad_checkpoints(swapped.registry, tmp_path))

    async def run() -> set[str]:
        before = await asked_of(swapped.url, "v1")
        over, said = asyncio.Event(), set[str]()
        async with httpx.AsyncClient(base_url=swapped.url, timeout=120) as client:

            async def user() -> None:
                while not over.is_set():
                    said.add(await asked(client))

            asking = asyncio.create_task(user())
            for name, says in bad:
                wanted = {"name": name, "version": "v1"}
                reply = await client.post("/v1/checkpoints/load", json=wanted)
                assert reply.status_code == 409, reply.text
                assert says in reply.json()["error"]["message"]
            over.set()
            await asking
            assert (await client.get("/v1/checkpoints")).json()["served"] == "mini/v1"
        return said - {before}

    assert asyncio.run(run()) == set()


def test_an_engine_killed_amid_a_swap_comes_back_with_the_old_weights(swapped: Swapped) -> None:
    before = asyncio.run(asked_of(swapped.url, "v1"))
    engine = engine_of(swapped.pid)

    async def run() -> None:
        async with httpx.AsyncClient(base_url=swapped.url, timeout=120) as client:
            engine[0].suspend()  # so that the swap has begun, and cannot end
            wanted = {"name": "mini", "version": "v2"}
            loading = asyncio.create_task(client.post("/v1/checkpoints/load", json=wanted))
            while (await client.get("/v1/checkpoints")).json()["state"] != "swapping":
                await asyncio.sleep(0.01)
            waiting = asyncio.create_task(client.post("/v1/chat/completions", json=QUESTION))
            engine[0].kill()
            assert (await loading).status_code == 503
            assert (await waiting).status_code in (200, 503)

    asyncio.run(run())
    with httpx.Client(base_url=swapped.url, timeout=60) as client:
        wait_until_ready(client)
        body = client.post("/v1/chat/completions", json=QUESTION).json()
        assert (text_of(body), body["system_fingerprint"]) == (before, "mini/v1")


def test_another_shape_is_served_by_an_engine_beside(swapped: Swapped, tmp_path: Path) -> None:
    asyncio.run(asked_of(swapped.url, "v1"))
    registry, engine = swapped.registry, engine_of(swapped.pid)
    shallow = altered(RELEASED, tmp_path / "shallow", lambda _, weights: weights)
    config = json.loads((shallow / "config.json").read_text())
    config["num_hidden_layers"] -= 1
    config["layer_types"] = config["layer_types"][:-1]
    (shallow / "config.json").write_text(json.dumps(config))
    weights = load_file(shallow / "model.safetensors")
    last = f"model.layers.{config['num_hidden_layers']}."
    kept = {name: each for name, each in weights.items() if not name.startswith(last)}
    save_file(kept, shallow / "model.safetensors", {"format": "pt"})
    registry.publish(shallow, "shallow")

    async def run() -> Any:
        async with httpx.AsyncClient(base_url=swapped.url, timeout=180) as client:
            wanted = {"name": "shallow", "engine": "new", "stream": True}
            long = QUESTION | {"thinking": {"min_tokens": 600}, "max_tokens": 700}
            steps = []
            async with client.stream("POST", "/v1/checkpoints/load", json=wanted) as loading:
                asking: asyncio.Task[httpx.Response] | None = None
                async for line in loading.aiter_lines():
                    steps.append(line)
                    if "starting" in line:
                        asking = asyncio.create_task(client.post("/v1/chat/completions", json=long))
            assert asking is not None
            after = (await client.post("/v1/chat/completions", json=QUESTION)).json()
            return steps, (await asking).json(), after

    steps, long, after = asyncio.run(run())
    states = ["checking", "starting", "proving"]
    told = [json.loads(line.removeprefix("data: ")) for line in steps[:-1] if "{" in line]
    assert told[:-1] == [{"state": each} for each in states]
    assert (told[-1]["version"], told[-1]["engine"]) == ("shallow/v1", "new")
    assert long["choices"][0]["thinking"]["tokens"] >= 600
    assert long["system_fingerprint"] == "mini/v1"
    assert after["system_fingerprint"] == "shallow/v1"
    assert after["model"] == long["model"] == "mini"
    assert psutil.wait_procs(engine, timeout=30)[1] == []
