"""Two servers in turns: who is asked what, in which order."""

import json

import pytest

from clients.load import Spread
from clients.overhead import Burst, Rival, Turn, asking, burst, compare, summary
from clients.wire import BideError
from tests.clients.test_streams import DONE, HEAD, USAGE, WORD, saying


async def test_turns_change_their_order_and_the_first_is_dropped() -> None:
    asked: list[list[bytes]] = [[], []]
    pieces = [HEAD + WORD + USAGE + DONE]
    async with saying(pieces, asked[0]) as one, saying(pieces, asked[1]) as other:
        rounds: list[int] = []

        def bodies(number: int) -> list[dict[str, int]]:
            rounds.append(number)
            return [{"max_tokens": 7, "round": number}] * 2

        turns = await compare(Rival("ours", one), Rival("theirs", other), 2, 3, bodies)
    assert rounds == [0, 1, 2, 3]
    assert len(turns) == 3
    for contents in asked:
        assert sorted(json.loads(each)["round"] for each in contents[1::2]) == [
            *[0, 0, 1, 1],
            *[2, 2, 3, 3],
        ]
    assert all(turn.ours.tokens_per_s > 0 and turn.theirs.first > 0 for turn in turns)


async def test_a_stream_that_ended_early_is_no_measurement() -> None:
    async with saying([HEAD + WORD + USAGE + DONE]) as url:
        with pytest.raises(BideError, match="ended after 7 tokens of 8: --eos-id"):
            await burst(url, [{"max_tokens": 8}], 1)


def test_each_round_asks_other_questions() -> None:
    bodies = asking("model", 16, 256, (0, 3), seed=1)
    asked = [body["messages"][0]["content"] for number in range(3) for body in bodies(number)]
    assert len(asked) == 144
    assert len({tuple(asked[:48]), tuple(asked[48:96]), tuple(asked[96:])}) == 3
    first = bodies(0)[0]
    assert first["logit_bias"] == {"0": -100, "3": -100}
    assert first["max_tokens"] == 256


def test_ratios_are_ours_to_theirs() -> None:
    found = summary(
        [Turn(Burst(120, 0.01), Burst(100, 0.02)), Turn(Burst(90, 0.02), Burst(100, 0.02))]
    )
    assert found["throughput_ratio"] == Spread(1.05, 0.9, 1.2)
    assert found["first_text_ratio"] == Spread(0.75, 0.5, 1.0)
    assert found["their_first_text_ms"].median == pytest.approx(20)
