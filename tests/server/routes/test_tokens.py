"""`/tokenize` and `/detokenize`, in vLLM's shapes."""

from typing import Any

import pytest

from tests.server.serving import CONTEXT, saying, served, small_family

QUESTION = [{"role": "user", "content": "How many r?"}]


async def test_a_text_there_and_back() -> None:
    async with served(saying()) as server:
        asked = {"prompt": "How many r?", "return_token_strs": True}
        found = (await server.http.post("/tokenize", json=asked)).json()
        back = (await server.http.post("/detokenize", json={"tokens": found["tokens"]})).json()
    assert found["tokens"] == small_family().codec.encode("How many r?")
    assert (found["count"], found["max_model_len"]) == (len(found["tokens"]), CONTEXT)
    assert len(found["token_strs"]) == found["count"]
    assert back == {"prompt": "How many r?"}


async def test_a_chat_is_the_prompt_that_it_would_be() -> None:
    engine = saying("r</think>", "3<|end|>")
    async with served(engine) as server:
        found = (await server.http.post("/tokenize", json={"messages": QUESTION})).json()
        await server.http.post("/v1/chat/completions", json={"messages": QUESTION})
        bare = {"messages": QUESTION, "add_generation_prompt": False}
        short = (await server.http.post("/tokenize", json=bare)).json()
    assert tuple(found["tokens"]) == engine.calls[0].token_ids
    assert small_family().codec.decode(short["tokens"]) == "<|user|>\nHow many r?\n"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {}, "prompt"),
        ("/tokenize", {"prompt": "a", "messages": QUESTION}, "prompt"),
        ("/tokenize", {"prompt": "a", "enable_thinking": True}, "enable_thinking"),
        ("/tokenize", {"messages": QUESTION, "add_special_tokens": True}, "add_special_tokens"),
        ("/tokenize", {"messages": QUESTION, "continue_final_message": True}, None),
        ("/detokenize", {"tokens": [99999]}, "tokens"),
        ("/detokenize", {"tokens": ["a"]}, "tokens[0]"),
    ],
)
async def test_what_is_wrong_is_named(path: str, body: dict[str, Any], param: str | None) -> None:
    async with served(saying()) as server:
        response = await server.http.post(path, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == (param or "continue_final_message")
