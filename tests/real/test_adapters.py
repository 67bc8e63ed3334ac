"""LoRA adapters on the real engine: many at once, each as if it had been merged."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.real.conftest import Swapped
from tests.real.swapping import adapter, merged, serve

pytestmark = pytest.mark.real

COUNT = 20
PROMPT = "How many r in raspberry? There are three of them, as 1+2=3 and 4*5=20 and 9.11<9.8."
QUESTION = {"messages": [{"role": "user", "content": "How many r in raspberry?"}], "temperature": 0}


@pytest.fixture(scope="module")
def names(swapped: Swapped, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    root, made = tmp_path_factory.mktemp("adapters"), []
    serve(swapped.url, "v1")
    for seed in range(COUNT):
        name = f"adapter{seed}"
        folder = adapter(root / name, seed)
        swapped.registry.publish(folder, name)
        swapped.registry.publish(merged(folder, root / f"{name}-merged"), f"{name}-merged")
        made.append(name)
    with httpx.Client(base_url=swapped.url, timeout=60) as client:
        for name in made:
            loaded = client.post("/v1/adapters/load", json={"name": name})
            assert loaded.status_code == 200, loaded.text
            assert loaded.json()["model"] == f"mini:{name}/v1"
        yield made
        for name in made:
            gone = client.post("/v1/adapters/unload", json={"name": name})
            assert gone.json() == {"unloaded": [f"{name}/v1"]}
        assert client.get("/v1/adapters").json() == {"loaded": []}


async def scored(client: httpx.AsyncClient, model: str) -> list[float]:
    """Log-probabilities of a prompt's tokens."""
    body = {"model": model, "prompt": PROMPT, "echo": True, "logprobs": 0, "max_tokens": 1}
    reply = await client.post("/v1/completions", json={**body, "temperature": 0})
    assert reply.status_code == 200, reply.text
    logprobs: list[float] = reply.json()["choices"][0]["logprobs"]["token_logprobs"]
    return logprobs[1:-1]


async def test_all_at_once_each_as_if_merged(swapped: Swapped, names: list[str]) -> None:
    async with httpx.AsyncClient(base_url=swapped.url, timeout=60) as client:
        models = ["mini", *(f"mini:{name}" for name in names)]
        plain, *adapted = await asyncio.gather(*(scored(client, each) for each in models))
        for name, found in zip(names, adapted, strict=True):
            wanted = {"name": f"{name}-merged"}
            loaded = await client.post("/v1/checkpoints/load", json=wanted)
            assert loaded.status_code == 200, loaded.text
            assert found == pytest.approx(await scored(client, "mini"), abs=2e-3)
            assert found != pytest.approx(plain, abs=0.1)
        await client.post("/v1/checkpoints/load", json={"name": "mini", "version": "v1"})
        assert await scored(client, "mini") == pytest.approx(plain, abs=2e-3)


async def test_who_has_one_keeps_it_and_replies_name_it(swapped: Swapped, names: list[str]) -> None:
    model = f"mini:{names[0]}"
    async with httpx.AsyncClient(base_url=swapped.url, timeout=60) as client:

        async def ask(**more: Any) -> Any:
            return (await client.post("/v1/chat/completions", json=QUESTION | more)).json()

        short = await ask(model=model)
        assert short["system_fingerprint"] == f"mini/v1:{names[0]}/v1"
        long = {"model": model, "thinking": {"min_tokens": 400}, "max_tokens": 500}
        alone = await ask(**long)
        asking = asyncio.create_task(ask(**long))
        await asyncio.sleep(0.3)
        await client.post("/v1/adapters/unload", json={"name": names[0]})
        refused = await client.post("/v1/chat/completions", json=QUESTION | {"model": model})
        assert refused.status_code == 404
        assert (await asking)["choices"][0]["message"] == alone["choices"][0]["message"]
        await client.post("/v1/adapters/load", json={"name": names[0]})


async def test_one_that_does_not_fit(swapped: Swapped, names: list[str], tmp_path: Path) -> None:
    swapped.registry.publish(adapter(tmp_path / "wide", 0, rank=64), "wide")
    async with httpx.AsyncClient(base_url=swapped.url, timeout=60) as client:
        await client.post("/v1/adapters/unload", json={"name": names[-1]})
        for name, says in (("wide", "--max-adapter-rank is 16"), ("mini", "is no adapter")):
            refused = await client.post("/v1/adapters/load", json={"name": name})
            assert refused.status_code == 409
            assert says in refused.json()["error"]["message"]
        whole = await client.post("/v1/checkpoints/load", json={"name": "wide"})
        assert "is an adapter" in whole.json()["error"]["message"]
        await client.post("/v1/adapters/load", json={"name": names[-1]})
        many = await client.post("/v1/adapters/load", json={"name": "wide"})
        assert "--max-adapters is 20" in many.json()["error"]["message"]
