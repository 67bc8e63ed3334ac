"""What a server has, that depends on its model."""

import logging
from typing import Any

import pytest

from tests.server.serving import saying, served

BOUNDS = {"thinking_budget": 100, "thinking_ceiling": 200}


@pytest.mark.parametrize("bounds", [{}, BOUNDS, {"thinking_ceiling": 0}])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_does_not_think_is_under_no_bound(
    bounds: dict[str, Any], stream: bool
) -> None:
    async with served(saying("Two.<|end|>"), markers="none", **bounds) as server:
        assert (await server.chat(stream=stream)).status_code == 200
        refused = await server.chat(thinking={"budget_tokens": 50})
    assert refused.status_code == 400
    assert "no thinking markers" in refused.json()["error"]["message"]


async def test_that_a_bound_changes_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "server")
    async with served(saying(), markers="none", thinking_ceiling=200):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        "--thinking-ceiling changes nothing: this model has no thinking markers"
    ]
    async with served(saying(), **BOUNDS) as server:
        assert server.state.models.served.settings.thinking_ceiling == 200
    assert len(caplog.records) == 1
