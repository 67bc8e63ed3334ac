"""Counts what an engine generates, in calls that are aborted too."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from decoding.engine import Engine
from decoding.types import Chunk, Sampling


class Meter:
    """An engine that hands every call on to another. `generated`: tokens of all its calls."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.generated = 0

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Chunk, None]:
        outer = sampling.on_abort

        def unsaid(tokens: int) -> None:
            self._add(tokens)
            if outer is not None:
                outer(tokens)

        calls = self._engine.generate(token_ids, replace(sampling, on_abort=unsaid))
        async with aclosing(calls) as chunks:
            async for chunk in chunks:
                self._add(chunk.generated)
                yield chunk

    def _add(self, tokens: int) -> None:
        self.generated += tokens
