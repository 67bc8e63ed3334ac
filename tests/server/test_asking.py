"""What a server does not take, although its model could."""

from typing import Any

import pytest

from tests.server.serving import saying, served


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"n": 3}, "n", "3 is more than this server's 2"),
        ({"vote": {"n": 3}}, "vote.n", "3 is more than this server's 2"),
        (
            {"messages": [{"role": "user", "content": "r " * 100}]},
            "messages",
            "tokens are more than this server's 50",
        ),
    ],
)
async def test_the_limits_of_the_settings(body: dict[str, Any], param: str, says: str) -> None:
    asking = {"messages": [{"role": "user", "content": "How many r in raspberry?"}], **body}
    async with served(saying(), max_n=2, max_prompt_tokens=50) as server:
        response = await server.http.post("/v1/chat/completions", json=asking)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert error["message"].startswith(f"{param}: ")
    assert says in error["message"]


async def test_what_is_within_them_is_answered() -> None:
    thought, answer = "r r\n</think>", "\nThe answer is 2.<|end|>"
    engine = saying(thought, thought, answer, answer)
    async with served(engine, max_n=2, max_prompt_tokens=50) as server:
        response = await server.chat(n=2, max_tokens=100)
    assert response.status_code == 200
