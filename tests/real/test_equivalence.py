"""Under greedy decoding a program's tokens are those of plain re-prompting, as s1 does it."""

import os
from collections.abc import Sequence

import pytest

from decoding.budget import Budget
from decoding.policies import BudgetConfig
from decoding.types import Final, Sampling
from tests.real.conftest import RealServer
from training.world.families import exam

pytestmark = pytest.mark.real

# One request at a time is slow: a few problems always, all hundred for a release.
PROBLEMS = list(exam(int(os.environ.get("BIDE_EQUIVALENCE_PROBLEMS", "8")), split="dev"))
CONFIGS = [
    BudgetConfig(waits=0),
    BudgetConfig(waits=1),
    BudgetConfig(waits=2),
    BudgetConfig(budget_tokens=20),
    BudgetConfig(budget_tokens=90, waits=2),
]
MAX_TOKENS = 1500


async def plain(server: RealServer, text: str, stop: str | None, most: int) -> tuple[str, bool]:
    """What the engine says after a text, and whether it came to `stop` or the turn's end."""
    codec, engine = server.model.codec, server.model.engine
    ids = codec.encode(text)
    stops = [codec.encode(each)[0] for each in ("<|end|>", stop) if each]
    sampling = Sampling(most, temperature=0, stop_token_ids=tuple(stops), ignore_eos=True)
    said, stopped = "", False
    async for chunk in engine.generate(ids, sampling):
        said += chunk.text
        stopped = chunk.finish == "stop"
    return said, stopped


async def reference(server: RealServer, prompt: str, config: BudgetConfig) -> str:
    """s1's loop on texts: every round is a new request with everything said so far."""
    codec = server.model.codec
    cap = config.budget_tokens or MAX_TOKENS
    thought, waits = "", 0
    while (left := cap - len(codec.encode(thought))) > 0:
        said, stopped = await plain(server, prompt + thought, "</think>", left)
        thought += said
        if not stopped:
            break
        room = cap - len(codec.encode(thought))
        if waits == config.waits or room <= 1:
            return thought + await finish(server, prompt + thought, "</think>")
        thought += "Wait"
        waits += 1
    close = "</think>\n" if thought.endswith("\n") else "\n</think>\n"
    return thought + await finish(server, prompt + thought, close)


async def finish(server: RealServer, text: str, close: str) -> str:
    said, _ = await plain(server, text + close, None, 100)
    return f"{close}{said}<|end|>"


async def ours(server: RealServer, prompt: Sequence[int], config: BudgetConfig) -> tuple[int, ...]:
    markers = server.model.markers
    assert markers is not None
    policy = Budget(config, markers, server.model.codec)
    sampling = Sampling(MAX_TOKENS, temperature=0)
    async for event in policy.run(server.model.engine, prompt, sampling):
        if isinstance(event, Final):
            return event.token_ids
    raise AssertionError("no Final")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"cap {c.budget_tokens} waits {c.waits}")
def test_tokens_equal_those_of_re_prompting(server: RealServer, config: BudgetConfig) -> None:
    codec = server.model.codec
    for problem in PROBLEMS:
        messages = [{"role": "user", "content": problem.question}]
        prompt = server.model.render(messages, thinking=True, template_arguments={})
        mine = server.engine_run(ours(server, prompt, config))
        expected = server.engine_run(reference(server, codec.decode(prompt), config))
        assert codec.decode(mine) == expected
        assert list(mine) == codec.encode(expected)
