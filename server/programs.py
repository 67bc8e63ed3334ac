"""Runs a request's programs in the engine and merges what they say."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from decoding.engine import Engine, Policy
from decoding.seeds import derived
from decoding.types import Event, Final, Sampling
from server.admission import Admission
from server.metrics import Metrics


class Programs:
    def __init__(self, engine: Engine, admission: Admission, metrics: Metrics) -> None:
        self._engine, self._admission, self._metrics = engine, admission, metrics

    async def run(
        self, policy: Policy, prompts: Sequence[Sequence[int]], sampling: Sampling, count: int = 1
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """Events with the number of their choice; closing the generator aborts them all.

        count: programs to run a prompt, each of which numbers its own choices from 0, if it has
        several. A prompt's programs draw the same whatever other prompts there are.
        """
        choices = [
            policy.run(
                self._engine, prompt, replace(sampling, seed=derived(sampling.seed, "choice", i))
            )
            for prompt in prompts
            for i in range(count)
        ]
        steps = {_next_of(choice): i for i, choice in enumerate(choices)}
        try:
            while steps:
                done, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
                for step in done:
                    index = steps.pop(step)
                    event = step.result()
                    if event is None:
                        continue
                    steps[_next_of(choices[index])] = index
                    if isinstance(event, Final) and event.vote is not None and not event.choice:
                        self._metrics.see_vote(event.vote)
                    yield index + event.choice, event
        finally:
            for step in steps:
                step.cancel()
            await asyncio.gather(*steps, return_exceptions=True)
            for choice in choices:
                await choice.aclose()

    def admitted(self, policy: Policy) -> Policy:
        """`policy`, each run of which takes a place in the engine and is measured."""
        return Admitted(policy, self._admission, self._metrics)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A policy that keeps one place over all its engine calls; what wraps it takes none."""

    inner: Policy
    admission: Admission
    metrics: Metrics

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        watch = self.metrics.watch()
        async with (
            self.admission.place(),
            aclosing(self.inner.run(engine, prompt, sampling)) as events,
        ):
            async for event in events:
                watch.see(event)
                yield event


def _next_of(choice: AsyncGenerator[Event, None]) -> "asyncio.Task[Event | None]":
    async def step() -> Event | None:
        return await anext(choice, None)

    return asyncio.create_task(step())
