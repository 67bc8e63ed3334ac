"""Requests that must be refused are, by the server itself, as they say."""

import random

import pytest

from clients.asking import asking
from clients.attempt import attempt
from clients.malformed import KINDS, SOUND, malformed
from tests.server.serving import saying, served


@pytest.mark.parametrize("kind", KINDS)
async def test_each_is_refused_for_its_reason(kind: str) -> None:
    async with served(saying()) as server:
        for seed in range(6):
            asked = malformed(random.Random(seed), "small", kind)
            outcome = await attempt(server.http, asked, "r-1")
            assert (outcome.fate, outcome.status) == ("refused", asked.status), outcome.why
            series = f'route="{asked.route}",status="{asked.status}"'
            assert series in (await server.http.get("/metrics")).text


async def test_their_sound_counterparts_are_not() -> None:
    answer = ("r r\n</think>", "\nThe answer is 2.<|end|>")
    for path, body in SOUND.items():
        plain = ("Two.<|end|>",) if path in ("/v1/completions", "/v1/messages") else answer
        async with served(saying(*plain)) as server:
            outcome = await attempt(server.http, asking("sound", path, body), "r-1")
        assert outcome.fate == "answered", outcome.why
