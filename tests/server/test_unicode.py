from json import dumps
from typing import Any

import pytest

from tests.server.serving import saying, served

HALF = "\ud800"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": HALF}]}),
        ("/v1/completions", {"prompt": HALF}),
        ("/v1/responses", {"input": "a", "metadata": {HALF: "a"}}),
        ("/v1/messages", {HALF: 1}),
        ("/tokenize", {"prompt": HALF}),
    ],
)
async def test_half_a_character_is_refused(path: str, body: dict[str, Any]) -> None:
    async with served(saying()) as server:
        response = await server.http.post(path, content=dumps(body), headers=JSON)
    assert response.status_code == 400
    assert "half of a surrogate pair" in response.json()["error"]["message"]


async def test_a_whole_one_may_be_escaped() -> None:
    async with served(saying()) as server:
        response = await server.http.post(
            "/tokenize", content=dumps({"prompt": "🙂"}), headers=JSON
        )
    assert response.status_code == 200
