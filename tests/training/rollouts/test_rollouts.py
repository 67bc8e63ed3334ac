"""Rollouts are of the version that was asked for, whole, and know what was not drawn."""

import random

import pytest

from clients.wire import BideError
from tests.training.rollouts.fake import FakeServer
from training.rollouts.rollouts import Rollouts, WrongVersion


def letters(question: str, rng: random.Random) -> tuple[list[int], str]:
    return [rng.randrange(5, 9) for _ in range(4)], question.upper()


def asking(server: FakeServer) -> Rollouts:
    options = {"temperature": 1.0}
    return Rollouts(["http://one"], options, at_once=4, transport=server.transport)


async def test_groups_in_order() -> None:
    server = FakeServer(letters)
    rollouts = asking(server)
    found = await rollouts.groups(["a", "b"], 3, version="run/v1", seed=7, max_tokens=9)
    await rollouts.close()
    assert [[each.text for each in group] for group in found] == [["A"] * 3, ["B"] * 3]
    assert [body["seed"] for body in server.asked] == [7, 8]
    assert {body["max_tokens"] for body in server.asked} == {9}
    assert all(body["return_token_ids"] for body in server.asked)
    assert all(each.prompt == (1, 2, 3) and each.ended for group in found for each in group)


async def test_what_the_server_wrote_was_not_drawn() -> None:
    server = FakeServer(letters, injected=[{"position": 1, "text": "Wait", "tokens": 2}])
    rollouts = asking(server)
    ((one,),) = await rollouts.groups(["a"], 1, version="run/v1", seed=0)
    await rollouts.close()
    assert one.drawn == (True, False, False, True)


async def test_another_version_is_an_error() -> None:
    server = FakeServer(letters, stale=True)
    rollouts = asking(server)
    await rollouts.load("run", "v2")
    assert server.loads == ["v2"]
    with pytest.raises(ExceptionGroup) as raised:
        await rollouts.groups(["a"], 1, version="run/v2", seed=0)
    await rollouts.close()
    assert raised.group_contains(WrongVersion, match="answered with run/v1, and not run/v2")


async def test_a_busy_server_is_waited_for() -> None:
    server = FakeServer(letters, busy=3)
    rollouts = asking(server)
    found = await rollouts.groups(["a"], 2, version="run/v1", seed=0)
    await rollouts.close()
    assert len(found[0]) == 2


async def test_refusals_are_told() -> None:
    import httpx

    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"error": {"message": "max_tokens: no", "param": "x"}})

    rollouts = Rollouts(["http://one"], {}, at_once=1, transport=httpx.MockTransport(refuse))
    with pytest.raises(BideError, match="max_tokens: no"):
        await rollouts.load("run", "v1")
    await rollouts.close()
