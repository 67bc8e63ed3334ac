"""Images as the APIs take them: shown to a model that sees, in order, and refused by name else."""

from typing import Any

import pytest

from tests.scripted import ScriptedEngine, spoken
from tests.server.serving import saying, served, small_family

RED, BLUE = "data:image/png;base64,cmVk", "data:image/png;base64,Ymx1ZQ=="


def seeing(*calls: str) -> ScriptedEngine:
    family = small_family()
    return ScriptedEngine(family, spoken(family.codec, *calls), sees=True)


def shown(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "auto"}}


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*parts, {"type": "text", "text": "Which?"}]}]


async def test_each_call_goes_on_from_the_prompt_with_its_images() -> None:
    engine = seeing("One\n</think>", "\nTwo.<|end|>")
    async with served(engine, kv_cache_gib=0.1) as server:
        body = {"messages": user(shown(RED), shown(BLUE)), "max_tokens": 100}
        reply = await server.http.post("/v1/chat/completions", json=body)
    assert engine.shown == [[RED, BLUE]]
    first, *later = (call.token_ids for call in engine.calls)
    assert first[-2:] == (len(RED), len(BLUE))
    assert all(ids[: len(first)] == first for ids in later)
    assert reply.json()["usage"]["prompt_tokens"] == len(first)


async def test_blocks_of_the_other_apis() -> None:
    engine = seeing("</think>\n", "Red.", "Red.")
    source = {"type": "base64", "media_type": "image/png", "data": RED.partition(",")[2]}
    text = {"type": "input_text", "text": "Which?"}
    picture = {"type": "input_image", "image_url": BLUE, "detail": "auto"}
    async with served(engine) as server:
        turn = user({"type": "image", "source": source})
        blocks = {"messages": turn, "max_tokens": 20}
        assert (await server.http.post("/v1/messages/count_tokens", json={"messages": turn})).json()
        await server.http.post("/v1/messages", json=blocks)
        items = {"input": [{"role": "user", "content": [picture, text]}]}
        await server.http.post("/v1/responses", json=items)
    assert engine.shown == [[RED], [RED], [BLUE]]


@pytest.mark.parametrize(
    ("part", "param", "says"),
    [
        (shown(RED), "messages[0].content[0]", "this model reads no images"),
        (
            {"type": "image_url", "image_url": {"url": RED, "detail": "high"}},
            "messages[0].content[0].image_url.detail",
            "'auto'",
        ),
        ({"type": "image_url"}, "messages[0].content[0].image_url", "required"),
        ({"type": "file"}, "messages[0].content[0]", "this model reads no files"),
    ],
)
async def test_what_is_not_shown(part: dict[str, Any], param: str, says: str) -> None:
    async with served(saying()) as server:
        reply = await server.http.post("/v1/chat/completions", json={"messages": user(part)})
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (400, param)
    assert says in error["message"]


async def test_only_users_show_images_and_only_so_many() -> None:
    engine = seeing()
    async with served(engine, max_images=1) as server:
        turns = [{**user(shown(RED))[0], "role": "system"}, *user()]
        system = await server.http.post("/v1/chat/completions", json={"messages": turns})
        many = {"messages": user(shown(RED), shown(BLUE))}
        refused = await server.http.post("/v1/chat/completions", json=many)
    assert "only a message of role 'user'" in system.json()["error"]["message"]
    assert refused.json()["error"]["param"] == "messages[0].content[1].image_url.url"
    assert "2 images are more than this server's 1" in refused.json()["error"]["message"]
    assert engine.shown == []
