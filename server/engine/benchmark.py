"""`python -m server.engine.benchmark`: a vote beside the engine drawing as many samples itself.

Both in this process and in turns: a vote that never stops early, and one engine call with n samples
of the same prompt. Times are per generated token, since no two draws are of one length.
"""

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import aclosing

from vllm import SamplingParams, TokensPrompt
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM

from decoding.answers import Answers
from decoding.policies import BudgetConfig, Vote, VoteConfig
from decoding.types import Final, Sampling
from server import logs
from server.config import Settings
from server.serving import fleet, serving
from server.state import State

QUESTIONS = (
    "Add up 34, 58, 91, 22, 17 and 45.",
    "How many e are there in the word bereeleen?",
    "What is 34*7+52*6-18?",
    "Which is the largest, 9.11, 9.8, 9.75 or 9.08?",
    "What is the date 40 days after 12 March?",
    "Mia has 24 apples. She buys 13 more. Then she has 3 times as many. How many are left?",
)


async def vote(state: State, prompt: list[int], samples: int, seed: int) -> tuple[float, int]:
    """Seconds and generated tokens."""
    model = state.models.served
    room = model.room(prompt)
    config, answers = VoteConfig(samples, stop="never"), Answers("auto", state.maths)
    began, tokens = time.perf_counter(), 0
    sampling = Sampling(room, seed=seed, chunk_tokens=64)
    with state.admission.ticket("benchmark") as ticket:
        inner = state.programs.admitted(model.policy(BudgetConfig(), room), ticket)
        run = state.programs.run(Vote(inner, config, answers), model.engine, [prompt], sampling)
        async with aclosing(run) as events:
            async for _, event in events:
                if isinstance(event, Final) and event.vote is not None:
                    tokens = event.vote.tokens
    return time.perf_counter() - began, tokens


async def plain(llm: AsyncLLM, prompt: list[int], params: SamplingParams) -> tuple[float, int]:
    """Seconds and generated tokens of one call to the engine, for all its samples."""
    began = time.perf_counter()
    calls = llm.generate(TokensPrompt(prompt_token_ids=prompt), params, request_id=f"plain-{began}")
    (whole,) = [result async for result in calls]
    return time.perf_counter() - began, sum(len(each.token_ids) for each in whole.outputs)


async def compare(settings: Settings, samples: int, rounds: int) -> list[float]:
    """Of each round, the vote's seconds a token to the engine's; one round first to warm up."""
    ratios = []
    async with fleet(settings) as engines, serving(settings, engines) as state:
        engine, model = engines.current.engine, state.models.served
        for number in range(rounds + 1):
            ours, theirs = [0.0, 0], [0.0, 0]
            for question in QUESTIONS:
                messages = [{"role": "user", "content": question}]
                prompt = model.render(messages, thinking=True, template_arguments={})
                params = engine.params(
                    Sampling(model.room(prompt), stop_token_ids=tuple(engine.turn_ends))
                )
                params.n, params.seed = samples, number
                params.output_kind = RequestOutputKind.FINAL_ONLY
                for spent, taken in (
                    (ours, await vote(state, prompt, samples, number)),
                    (theirs, await plain(engine.llm, prompt, params)),
                ):
                    spent[0] += taken[0]
                    spent[1] += taken[1]
            ratios.append((ours[0] / ours[1]) / (theirs[0] / theirs[1]))
            print(f"round {number}: {ratios[-1]:.3f}", file=sys.stderr, flush=True)
    return ratios[1:]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m server.engine.benchmark", description=__doc__)
    parser.add_argument("--model", default=Settings().model)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    settings = Settings(model=options.model)
    logs.configure(settings.log_level, settings.log_format)
    ratios = asyncio.run(compare(settings, options.samples, options.rounds))
    print(
        f"a vote of {options.samples} to the engine's own {options.samples} samples, seconds a "
        f"token: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
