"""`/v1/adapters` and `/v1/aliases`, and requests for what they name."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from server.engine.preflight import CannotStart
from server.keys_command import add
from tests.adapters import BASE, adapter
from tests.checkpoints import checkpoint
from tests.server.serving import Served, saying, served
from training.registry import Registry

ANSWER = "One.\n</think>", "\nTwo.<|end|>"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    found.publish(checkpoint(tmp_path / "mini", BASE), "mini")
    for _ in range(2):
        found.publish(adapter(tmp_path / "polite"), "polite")
    return found


def settings(registry: Registry, **more: Any) -> dict[str, Any]:
    model = str(registry.resolve("mini", "v1").folder)
    return {"registry": registry.root, "model": model, "max_adapters": 2, **more}


async def post(server: Served, path: str, **body: Any) -> Any:
    return await server.http.post(path, json=body)


async def test_load_ask_and_unload(registry: Registry) -> None:
    engine = saying(*ANSWER, *ANSWER, *ANSWER)
    async with served(engine, **settings(registry)) as server:
        for version in ("v1", "v2"):
            loaded = await post(server, "/v1/adapters/load", name="polite", version=version)
            assert loaded.json()["model"] == f"small:polite/{version}"
        names = [each["id"] for each in (await server.http.get("/v1/models")).json()["data"]]
        assert names == ["small", "small:polite/v1", "small:polite/v2"]
        last = await server.chat(model="small:polite")
        plain = await server.chat()
        gone = await post(server, "/v1/adapters/unload", name="polite", version="v2")
        assert gone.json() == {"unloaded": ["polite/v2"]}
        before = await server.chat(model="small:polite")
        listed = (await server.http.get("/v1/adapters")).json()
        state = (await server.http.get("/v1/checkpoints")).json()
    assert last.json()["model"] == "small:polite/v2"
    assert last.json()["system_fingerprint"] == "mini/v1:polite/v2"
    assert last.headers["x-bide-checkpoint"] == "mini/v1:polite/v2"
    assert plain.json()["system_fingerprint"] == "mini/v1"
    assert before.json()["system_fingerprint"] == "mini/v1:polite/v1"
    adapters = [str(call.adapter) for call in engine.calls]
    assert adapters == ["polite/v2"] * 2 + ["None"] * 2 + ["polite/v1"] * 2
    assert [each["model"] for each in listed["loaded"]] == ["small:polite/v1"]
    assert state["adapters"] == ["polite/v1"]
    assert engine.swaps == ["add polite/v1", "add polite/v2", "remove polite/v2"]


async def test_a_request_in_flight_keeps_its_adapter(registry: Registry) -> None:
    engine = saying(*ANSWER, stalls=True)
    async with served(engine, **settings(registry)) as server:
        await post(server, "/v1/adapters/load", name="polite")
        asking = asyncio.create_task(server.chat(model="small:polite"))
        await engine.called.wait()
        await post(server, "/v1/adapters/unload", name="polite")
        refused = await server.chat(model="small:polite")
        assert refused.status_code == 404
        assert engine.swaps == ["add polite/v2"]
        assert (await server.http.get("/v1/checkpoints")).json()["adapters"] == ["polite/v2"]
        asking.cancel()
        while (await server.http.get("/v1/checkpoints")).json()["adapters"]:
            await asyncio.sleep(0.001)
    assert engine.swaps == ["add polite/v2", "remove polite/v2"]


async def test_an_adapter_is_kept_when_the_registry_drops_it(
    registry: Registry, tmp_path: Path
) -> None:
    engine = saying()
    async with served(engine, **settings(registry)) as server:
        await post(server, "/v1/adapters/load", name="polite")
        (held,) = server.state.adapters.held
        assert not held.folder.is_relative_to(registry.root)
        shutil.rmtree(registry.root / "polite")
        assert (held.folder / "adapter_model.safetensors").is_file()
        await post(server, "/v1/adapters/unload", name="polite")
        while server.state.adapters.held:
            await asyncio.sleep(0.001)
        assert not held.folder.exists()


async def test_what_cannot_be_read_is_refused(registry: Registry) -> None:
    async with served(saying(), **settings(registry)) as server:
        weights = registry.resolve("polite", "v1").folder / "adapter_model.safetensors"
        weights.unlink()
        weights.symlink_to("nowhere")
        refused = await post(server, "/v1/adapters/load", name="polite", version="v1")
    assert refused.status_code == 409
    assert str(registry.root) not in refused.text


async def test_what_cannot_be_loaded(registry: Registry) -> None:
    engine = saying()
    engine.unreadable["polite/v1"] = 1
    async with served(engine, **settings(registry, max_adapters=1)) as server:
        for name, version, says in (
            ("polite", "v9", "no version 'v9'"),
            ("mini", "v1", "is no adapter"),
            ("polite", "v1", "the engine cannot read"),
        ):
            refused = await post(server, "/v1/adapters/load", name=name, version=version)
            assert refused.status_code == 409
            assert says in refused.json()["error"]["message"]
        await post(server, "/v1/adapters/load", name="polite", version="v2")
        again = await post(server, "/v1/adapters/load", name="polite", version="v2")
        assert "is loaded already" in again.json()["error"]["message"]
        many = await post(server, "/v1/adapters/load", name="polite", version="v1")
        assert "--max-adapters is 1" in many.json()["error"]["message"]
        beside = await post(server, "/v1/checkpoints/load", name="mini", engine="new")
        assert "adapters are loaded (polite/v2)" in beside.json()["error"]["message"]
        none = await post(server, "/v1/adapters/unload", name="rude")
        assert none.status_code == 409


async def test_an_alias_stands_for_an_adapter_until_it_is_removed(registry: Registry) -> None:
    engine = saying(*ANSWER)
    async with served(engine, **settings(registry)) as server:
        await post(server, "/v1/adapters/load", name="polite")
        body = {"models": {"small:polite": 1}}
        made = await server.http.put("/v1/aliases/support", json=body)
        assert made.json() == {"name": "support", "models": {"small:polite": 1.0}}
        assert (await server.http.get("/v1/models/support")).json()["id"] == "support"
        assert (await server.chat(model="support")).json()["model"] == "small:polite/v2"
        needed = await post(server, "/v1/adapters/unload", name="polite")
        assert "support" in needed.json()["error"]["message"]
        assert (await server.http.delete("/v1/aliases/support")).status_code == 200
        assert (await server.http.delete("/v1/aliases/support")).status_code == 404
        assert (await server.http.get("/v1/aliases")).json() == {"aliases": {}}
        assert (await post(server, "/v1/adapters/unload", name="polite")).status_code == 200


@pytest.mark.parametrize("models", [{}, {"small": 0}, {"small": -1}, {"other": 1}])
async def test_an_alias_of_nothing(models: dict[str, float]) -> None:
    async with served(saying()) as server:
        refused = await server.http.put("/v1/aliases/support", json={"models": models})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"].startswith("models")


async def test_settings_name_adapters_and_aliases(registry: Registry) -> None:
    engine = saying(*ANSWER)
    chosen = settings(
        registry, adapters=["polite@v1"], aliases={"support": {"small:polite/v1": 1.0}}
    )
    async with served(engine, **chosen) as server:
        assert (await server.chat(model="support")).json()["model"] == "small:polite/v1"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"adapters": ["rude"]}, "--adapters: rude has no version|--adapters: there is no"),
        ({"aliases": {"support": {"small:rude": 1.0}}}, "--aliases: support: models: there is no"),
    ],
)
async def test_settings_that_name_what_is_not_there(
    registry: Registry, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(CannotStart, match=says):
        async with served(saying(), **settings(registry, **wrong)):
            pass


async def test_only_admins(tmp_path: Path, registry: Registry) -> None:
    keys = tmp_path / "keys.toml"
    key = add(keys, {"name": "user"})
    async with served(saying(), keys=keys, **settings(registry)) as server:
        headers = {"Authorization": f"Bearer {key}"}
        for method, path in (
            ("GET", "/v1/adapters"),
            ("POST", "/v1/adapters/load"),
            ("POST", "/v1/adapters/unload"),
            ("GET", "/v1/aliases"),
            ("PUT", "/v1/aliases/a"),
            ("DELETE", "/v1/aliases/a"),
        ):
            reply = await server.http.request(method, path, headers=headers, json={})
            assert reply.status_code == 403
