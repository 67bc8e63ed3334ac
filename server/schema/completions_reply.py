"""`POST /v1/completions`: what it gives, whole or in chunks, in OpenAI's shapes."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from decoding.types import Delta, Event, Final, Likely, Score, TokenLogprob, Usage
from server import sse
from server.errors import ApiError
from server.outcome import Outcome
from server.schema.controls import ControlFields
from server.schema.details import thinking_object, usage_object


@dataclass(frozen=True, slots=True)
class Echo:
    """A prompt as text, and its first token, which has no log-probability."""

    text: str
    first: str


class CompletionReply:
    """One response in the making.

    count: choices a prompt; echoes: the prompts, where they are to be said again.
    """

    def __init__(
        self,
        number: str,
        model: str,
        *,
        count: int,
        echoes: Sequence[Echo] | None,
        logprobs: bool,
        exclude_reasoning: bool,
        control: ControlFields | None,
        reduced_from: int | None,
        fingerprint: Callable[[], str],
    ) -> None:
        self._frame = {"id": f"cmpl-{number}", "object": "text_completion"}
        self._made = {"created": int(time.time()), "model": model}
        self._fingerprint = fingerprint
        self._count, self._echoes, self._logprobs = count, echoes, logprobs
        self._exclude = exclude_reasoning
        self._control, self._reduced_from = control, reduced_from

    def whole(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        choices = [self._choice(index, outcome) for index, outcome in enumerate(outcomes)]
        return {**self.framed(choices), "usage": self.usage([each.final for each in outcomes])}

    def framed(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        made = {**self._made, "system_fingerprint": self._fingerprint()}
        return {**self._frame, **made, "choices": choices}

    def echo(self, index: int) -> Echo | None:
        return None if self._echoes is None else self._echoes[index // self._count]

    def piece(
        self,
        index: int,
        text: str,
        logprobs: Sequence[TokenLogprob] = (),
        score: Score | None = None,
    ) -> dict[str, Any]:
        """A choice, or a piece of it. With `score`, `text` begins with the prompt."""
        told: dict[str, Any] | None = None
        if self._logprobs:
            echo = self.echo(index)
            first = echo.first if echo and score else None
            told = logprobs_object([*(score.logprobs if score else ()), *logprobs], first)
        return {"index": index, "text": text, "logprobs": told, "finish_reason": None}

    def thought(self, index: int, text: str) -> dict[str, Any] | None:
        return None if self._exclude else {**self.piece(index, ""), "reasoning": text}

    def ending(self, final: Final) -> dict[str, Any]:
        if final.thinking is None:
            return {"finish_reason": final.finish}
        details = thinking_object(final.thinking, self._control, self._reduced_from)
        return {"finish_reason": final.finish, "thinking": details}

    def usage(self, finals: Sequence[Final]) -> dict[str, Any]:
        """Each prompt counts once, however many its choices."""
        usages: list[Usage] = [final.usage for final in finals]
        return usage_object(usages, sum(usage.prompt for usage in usages) // self._count)

    def _choice(self, index: int, outcome: Outcome) -> dict[str, Any]:
        echo = self.echo(index)
        text = f"{echo.text}{outcome.content}" if echo else outcome.content
        choice = self.piece(index, text, outcome.logprobs, outcome.score)
        if outcome.reasoning and not self._exclude:
            choice["reasoning"] = outcome.reasoning
        return {**choice, **self.ending(outcome.final)}


class CompletionStream:
    """The same response in chunks."""

    def __init__(self, reply: CompletionReply, *, include_usage: bool) -> None:
        self._reply, self._include_usage = reply, include_usage
        self._echoed: set[int] = set()
        self._finals: list[Final] = []

    def opening(self) -> Iterator[str]:
        yield from ()

    def see(self, index: int, event: Event) -> Iterator[str]:
        score = event if isinstance(event, Score) else None
        if index not in self._echoed:
            self._echoed.add(index)
            if echo := self._reply.echo(index):
                yield self._chunk(self._reply.piece(index, echo.text, score=score))
        if isinstance(event, Delta):
            yield from self._delta(index, event)
        elif isinstance(event, Final):
            self._finals.append(event)
            yield self._chunk({**self._reply.piece(index, ""), **self._reply.ending(event)})

    def closing(self) -> Iterator[str]:
        if self._include_usage:
            usage = self._reply.usage(self._finals)
            yield sse.event({**self._reply.framed([]), "usage": usage})
        yield sse.DONE

    def failed(self, error: ApiError) -> Iterator[str]:
        """No [DONE] comes after it."""
        yield sse.event(error.body())

    def _delta(self, index: int, delta: Delta) -> Iterator[str]:
        if delta.phase == "reasoning":
            thought = self._reply.thought(index, delta.text) if delta.text else None
            if thought:
                yield self._chunk(thought)
        elif delta.text or delta.logprobs:
            yield self._chunk(self._reply.piece(index, delta.text, delta.logprobs))

    def _chunk(self, choice: dict[str, Any]) -> str:
        return sse.event(self._reply.framed([choice]))


def logprobs_object(logprobs: Sequence[TokenLogprob], first: str | None) -> dict[str, Any]:
    """first: a token before them that has no log-probability.

    The drawn token is among the top ones of its place, wherever it ranks.
    """
    tokens = [*([] if first is None else [first]), *(spelled(each.drawn) for each in logprobs)]
    unknown: list[None] = [] if first is None else [None]
    offsets = [0]
    for token in tokens[:-1]:
        offsets.append(offsets[-1] + len(token))
    return {
        "tokens": tokens,
        "token_logprobs": [*unknown, *(each.drawn.logprob for each in logprobs)],
        "top_logprobs": [*unknown, *(_top(each) for each in logprobs)],
        "text_offset": offsets[: len(tokens)],
    }


def _top(each: TokenLogprob) -> dict[str, float]:
    return {spelled(likely): likely.logprob for likely in (*each.top, each.drawn)}


def spelled(likely: Likely) -> str:
    """The token's text; its bytes where they are no whole character."""
    if likely.text.encode() == likely.bytes:
        return likely.text
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in likely.bytes)
