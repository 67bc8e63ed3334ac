"""Weights exchanged on the real engine: under load, and those that it could not have served."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from safetensors.torch import load_file, save_file

from server.config import RELEASED
from tests.real.test_images import address
from tests.real.test_serve_command import start
from training.registry import Registry

pytestmark = pytest.mark.real

QUESTION = {"messages": [{"role": "user", "content": "How many r in raspberry?"}], "temperature": 0}
SWAPS = 10


def altered(
    source: Path, folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor]
) -> Path:
    """A copy of a checkpoint, with other values in its weights."""
    folder.mkdir()
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(source / "model.safetensors")
    changed = {name: change(name, tensor) for name, tensor in weights.items()}
    save_file(changed, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    root = tmp_path_factory.mktemp("registry")
    found = Registry(root / "all")
    found.publish(RELEASED, "mini")
    torch.manual_seed(0)

    def noisy(_: str, tensor: torch.Tensor) -> torch.Tensor:
        return tensor + 0.3 * tensor.std() * torch.randn_like(tensor)

    folder = altered(RELEASED, root / "noisy", noisy)
    found.publish(folder, "mini")
    return found


@pytest.fixture(scope="module")
def url(registry: Registry) -> Iterator[str]:
    model = str(registry.resolve("mini", "v1").folder)
    named = ["--model", model, "--served-name", "mini", "--registry", str(registry.root)]
    process = start(
        [
            "--port",
            "0",
            "--log-level",
            "warning",
            "--kv-cache-gib",
            "0.1",
            "--dtype",
            "float32",
            *named,
        ]
    )
    try:
        yield address(process)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_swaps_under_load_mix_no_answers(url: str) -> None:
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
                    message = body["choices"][0]["message"]
                    text = f"{message['reasoning']}|{message['content']}"
                    said.setdefault(body["system_fingerprint"], set()).add(text)
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
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        await client.post("/v1/checkpoints/load", json={"name": "mini", "version": version})
        body = (await client.post("/v1/chat/completions", json=QUESTION)).json()
        message = body["choices"][0]["message"]
        return f"{message['reasoning']}|{message['content']}"


def test_a_request_in_flight_goes_on_under_the_new_weights(url: str) -> None:
    async def run() -> Any:
        await asked_of(url, "v1")
        long = QUESTION | {"thinking": {"min_tokens": 1500}}
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            asking = asyncio.create_task(client.post("/v1/chat/completions", json=long))
            await asyncio.sleep(0.5)
            wanted = {"name": "mini", "version": "v2", "mode": "immediate"}
            loaded = await client.post("/v1/checkpoints/load", json=wanted)
            assert loaded.status_code == 200, loaded.text
            return (await asking).json()

    body = asyncio.run(run())
    assert body["system_fingerprint"] == "mini/v1+mini/v2"
    assert body["choices"][0]["thinking"]["tokens"] >= 1500


def test_bad_checkpoints_change_nothing(url: str, registry: Registry, tmp_path: Path) -> None:
    before = asyncio.run(asked_of(url, "v1"))
    truncated = registry.publish(registry.resolve("mini", "v2").folder, "truncated")
    weights = truncated.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])

    def broken(name: str, tensor: torch.Tensor) -> torch.Tensor:
        return tensor / 0 if name == "model.norm.weight" else tensor

    folder = altered(registry.resolve("mini", "v1").folder, tmp_path / "nan", broken)
    registry.publish(folder, "nan")
    for name in ("truncated", "nan", "nothing", ".."):
        reply = httpx.post(f"{url}/v1/checkpoints/load", json={"name": name}, timeout=60)
        assert reply.status_code == 409, reply.text
    reply = httpx.post(f"{url}/v1/chat/completions", json=QUESTION, timeout=60).json()
    message = reply["choices"][0]["message"]
    assert f"{message['reasoning']}|{message['content']}" == before
    assert reply["system_fingerprint"] == "mini/v1"
