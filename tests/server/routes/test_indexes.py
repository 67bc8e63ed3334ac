"""`/v1/indexes`, and answers that rest on one."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.keys_command import add
from tests.server.routes.test_self_rag import DOCUMENTS, QUESTION, engine, taught
from tests.server.serving import Served, saying, served
from tests.server.test_verifier import answering


async def post(server: Served, path: str, **body: Any) -> httpx.Response:
    return await server.http.post(f"/v1/indexes{path}", json=body)


async def test_documents_come_are_searched_and_go(tmp_path: Path) -> None:
    async with served(saying(), indexes=tmp_path / "indexes") as server:
        assert (await post(server, "", name="docs")).json() == {"name": "docs", "passages": 0}
        documents = [
            {"id": "a", "title": "Ulm", "text": "It has 3 bridges.", "digest": "1"},
            {"id": "b", "text": "Towers are high."},
        ]
        added = await post(server, "/docs/documents", documents=documents)
        assert added.json() == {"documents": 2, "passages": 2}
        listed = (await server.http.get("/v1/indexes")).json()
        assert listed == {"indexes": [{"name": "docs", "passages": 2}]}
        (best,) = (await post(server, "/docs/search", query="ulm")).json()["passages"]
        assert best.pop("score") > 0
        assert best == {"document_id": "a", "title": "Ulm", "text": "It has 3 bridges."}
        missing = await post(server, "/docs/documents/missing", documents={"a": "1", "c": ""})
        assert missing.json() == {"missing": ["c"]}
        assert (await post(server, "/docs/documents/delete", ids=["a"])).json() == {"passages": 1}
        assert (await post(server, "/docs/search", query="ulm")).json() == {"passages": []}
        assert (await server.http.delete("/v1/indexes/docs")).status_code == 200
        assert (await server.http.delete("/v1/indexes/docs")).status_code == 404


async def test_an_answer_rests_on_an_index(tmp_path: Path) -> None:
    async with served(engine(), tokenizer=taught(), indexes=tmp_path / "indexes") as server:
        await post(server, "", name="docs")
        documents = [{"id": f"d{i}", **each} for i, each in enumerate(DOCUMENTS)]
        await post(server, "/docs/documents", documents=documents)
        body = {**QUESTION, "self_rag": {"index": "docs"}}
        reply = (await server.http.post("/v1/chat/completions", json=body)).json()
        (citation,) = reply["choices"][0]["self_rag"]["citations"]
        assert citation["document_id"] == "river"
        body["self_rag"] = {"index": "none"}
        unknown = await server.http.post("/v1/chat/completions", json=body)
        assert unknown.status_code == 404
        body["self_rag"] = {"index": "docs", "documents": DOCUMENTS}
        both = await server.http.post("/v1/chat/completions", json=body)
        assert (both.status_code, both.json()["error"]["param"]) == (400, "self_rag")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {"name": "A b"}, 409),
        ("", {}, 400),
        ("/none/documents", {"documents": [{"id": "a", "text": "b"}]}, 404),
        ("/none/search", {"query": "a"}, 404),
        ("/docs/documents", {"documents": [{"id": "a", "text": ""}]}, 400),
        ("/docs/documents", {"documents": []}, 400),
        ("/docs/documents/delete", {"ids": []}, 400),
        ("/docs/search", {"query": ""}, 400),
        ("/docs/search", {"query": "a", "top_k": 0}, 400),
    ],
)
async def test_refusals(tmp_path: Path, path: str, body: dict[str, Any], status: int) -> None:
    async with served(saying(), indexes=tmp_path / "indexes") as server:
        await post(server, "", name="docs")
        assert (await post(server, path, **body)).status_code == status


async def test_a_server_without_a_folder(tmp_path: Path) -> None:
    async with served(saying()) as server:
        assert (await server.http.get("/v1/indexes")).json() == {"indexes": []}
        refused = await post(server, "", name="docs")
        assert "--indexes" in refused.json()["error"]["message"]


async def test_changes_are_for_admins_and_all_may_search(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    key = add(keys, {"name": "user"})
    async with served(saying(), keys=keys, indexes=tmp_path / "indexes") as server:
        server.http.headers["authorization"] = f"Bearer {key}"
        await server.state.indexes.create("docs")
        for path in ("", "/docs/documents", "/docs/documents/delete", "/docs/documents/missing"):
            assert (await post(server, path)).status_code == 403
        assert (await server.http.delete("/v1/indexes/docs")).status_code == 403
        assert (await post(server, "/docs/search", query="a")).status_code == 200


async def test_a_search_service_stands_in_the_place_of_an_index() -> None:
    found = {"passages": [{"document_id": "river", "text": DOCUMENTS[0]["text"]}]}
    with answering(200, json.dumps(found)) as (url, asked):
        async with served(engine(), tokenizer=taught(), search_services={"web": url}) as server:
            body = {**QUESTION, "self_rag": {"index": "web"}}
            reply = (await server.http.post("/v1/chat/completions", json=body)).json()
    (citation,) = reply["choices"][0]["self_rag"]["citations"]
    assert citation["document_id"] == "river"
    assert asked[0] == {"query": "How many bridges has Ulm?", "top_k": 5}


async def test_one_that_fails_is_a_502() -> None:
    with answering(503, "") as (url, _):
        async with served(engine(), tokenizer=taught(), search_services={"web": url}) as server:
            body = {**QUESTION, "self_rag": {"index": "web", "mode": "always"}}
            failed = await server.http.post("/v1/chat/completions", json=body)
    assert failed.status_code == 502
    assert failed.json()["error"]["message"] == "search service web: it answers 503"
