"""Runs a request's programs in the engine and merges what they say."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from decoding.engine import Engine, Policy
from decoding.seeds import derived
from decoding.types import Event, Final, Sampling
from server.admission import Ticket
from server.metrics import Metrics
from server.observer import Observe
from server.record import current

Run = AsyncGenerator[Event, None]


class Programs:
    def __init__(self, metrics: Metrics, observers: Sequence[Observe] = ()) -> None:
        """observers: of each program, beside the metrics."""
        self._metrics = metrics
        self._observers = (metrics.watch, *observers)

    async def run(
        self,
        policy: Policy,
        engine: Engine,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        count: int = 1,
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """Events with the number of their choice; closing the generator aborts them all.

        count: programs to run a prompt, each of which numbers its own choices from 0, if it has
        several. A prompt's programs draw the same whatever other prompts there are.
        """
        runs = [
            policy.run(
                engine,
                prompt,
                replace(sampling, seed=derived(sampling.seed, "choice", i)),
            )
            for prompt in prompts
            for i in range(count)
        ]
        # One alone needs no tasks to be merged by, which cost more than all else at each token.
        merged = _numbered(runs[0]) if len(runs) == 1 else _merged(runs)
        async with aclosing(merged) as events:
            async for index, event in events:
                if isinstance(event, Final):
                    self._note(event)
                yield index + event.choice, event

    def _note(self, final: Final) -> None:
        if final.vote is not None and not final.choice:
            self._metrics.see_vote(final.vote)
        if record := current.get():
            record.finals.append(final)

    def admitted(self, policy: Policy, ticket: Ticket) -> Policy:
        """`policy`, each run of which takes a place in the engine and is observed."""
        return Admitted(policy, ticket, self._observers)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A policy that keeps one place over all its engine calls; what wraps it takes none."""

    inner: Policy
    ticket: Ticket
    observers: Sequence[Observe]

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        observers = [observe(self.ticket.waited) for observe in self.observers]
        try:
            async with (
                self.ticket.place(),
                aclosing(self.inner.run(engine, prompt, sampling)) as events,
            ):
                for observer in observers:
                    observer.admitted()
                async for event in events:
                    for observer in observers:
                        observer.see(event)
                    yield event
        finally:
            for observer in observers:
                observer.close()


async def _numbered(run: Run) -> AsyncGenerator[tuple[int, Event], None]:
    async with aclosing(run) as events:
        async for event in events:
            yield 0, event


async def _merged(runs: Sequence[Run]) -> AsyncGenerator[tuple[int, Event], None]:
    """Events as they come, with the number of their run."""
    steps = {_next_of(run): i for i, run in enumerate(runs)}
    try:
        while steps:
            done, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
            for step in done:
                index = steps.pop(step)
                event = step.result()
                if event is not None:
                    steps[_next_of(runs[index])] = index
                    yield index, event
    finally:
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)
        for run in runs:
            await run.aclose()


def _next_of(run: Run) -> "asyncio.Task[Event | None]":
    async def step() -> Event | None:
        return await anext(run, None)

    return asyncio.create_task(step())
