"""One answer in the making: its token ids, where they came from, and the calls that made them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from decoding.engine import Engine
from decoding.seeds import derived
from decoding.types import (
    Chunk,
    End,
    Final,
    Finish,
    Injection,
    Probe,
    Sampling,
    Thinking,
    Usage,
)


class Transcript:
    """The ids of a prompt and of its completion so far.

    Each `call` continues exactly these ids, so that the engine's prefix cache serves them.
    """

    def __init__(self, engine: Engine, prompt: Sequence[int], sampling: Sampling) -> None:
        self._engine = engine
        self._prompt = tuple(prompt)
        self._sampling = sampling
        self._calls = 0
        self.completion: list[int] = []
        self.injections: list[Injection] = []
        self.generated = 0
        self.reasoning = 0

    @property
    def room(self) -> int:
        """Completion tokens that may still be added."""
        return self._sampling.max_tokens - len(self.completion)

    async def call(
        self,
        max_tokens: int,
        *,
        stop_token_ids: tuple[int, ...] = (),
        stop: tuple[str, ...] = (),
        ignore_eos: bool = False,
        after: Sequence[int] = (),
        at_once: bool = False,
        answers: bool = False,
    ) -> AsyncGenerator[Chunk, None]:
        """Let the engine go on; tokens are counted, and kept as the caller sees fit.

        after: ids that follow the completion for this call alone; at_once: each token is wanted
        as soon as it is there; answers: whether it is the answer, which alone is bound by a grammar
        and told with log-probabilities.
        """
        sampling = replace(
            self._sampling,
            max_tokens=max_tokens,
            seed=self._seed(),
            stop=stop,
            stop_token_ids=stop_token_ids,
            ignore_eos=ignore_eos,
            chunk_tokens=1 if at_once else self._sampling.chunk_tokens,
            grammar=self._sampling.grammar if answers else None,
            logprobs=self._sampling.logprobs if answers else None,
            prompt_logprobs=self._sampling.prompt_logprobs if answers else None,
            on_abort=self._count_unsaid if at_once else self._sampling.on_abort,
        )
        self._calls += 1
        ids = (*self._prompt, *self.completion, *after)
        async with aclosing(self._engine.generate(ids, sampling)) as chunks:
            async for chunk in chunks:
                self.generated += chunk.generated
                yield chunk

    def _count_unsaid(self, tokens: int) -> None:
        """Of a call that was left before its end."""
        self.generated += tokens
        if self._sampling.on_abort is not None:
            self._sampling.on_abort(tokens)

    async def peek(self, after: Sequence[int]) -> int:
        """The token that would follow `after`, whatever it is."""
        token: int | None = None
        async with aclosing(self.call(1, ignore_eos=True, after=after)) as chunks:
            async for chunk in chunks:
                token = chunk.token_ids[0] if chunk.token_ids else token
        if token is None:
            raise RuntimeError("the engine ended a call of one token without one")
        return token

    def fork(self, after: Sequence[int], chunk_tokens: int) -> "Transcript":
        """A transcript of its own that goes on after these ids and `after`, greedily.

        It takes no seed of this one, and its tokens are counted in it alone.
        """
        sampling = replace(self._sampling, temperature=0.0, chunk_tokens=chunk_tokens, aside=True)
        return Transcript(self._engine, (*self._prompt, *self.completion, *after), sampling)

    def keep(self, token_ids: Sequence[int]) -> None:
        self.completion.extend(token_ids)

    def inject(self, text: str, token_ids: Sequence[int]) -> Injection:
        injection = Injection(len(self.completion), text, tuple(token_ids))
        self.injections.append(injection)
        self.completion.extend(token_ids)
        return injection

    def final(
        self, finish: Finish, thinking: Thinking | None, stop_text: str | None = None
    ) -> Final:
        injected = sum(len(injection.token_ids) for injection in self.injections)
        usage = Usage(
            prompt=len(self._prompt),
            completion=len(self.completion),
            reasoning=self.reasoning,
            injected=injected,
            generated=self.generated,
            discarded=self.generated + injected - len(self.completion),
        )
        return Final(finish, usage, tuple(self.completion), thinking, stop_text=stop_text)

    def thinking(
        self, waits: int, end: End, budget_tokens: int | None, probes: tuple[Probe, ...] = ()
    ) -> Thinking:
        injected = tuple(self.injections)
        return Thinking(self.reasoning, waits, end, budget_tokens, injected, probes)

    def _seed(self) -> int | None:
        """A seed a call: with one for all, every continuation would replay the same draws."""
        return derived(self._sampling.seed, "call", self._calls)
