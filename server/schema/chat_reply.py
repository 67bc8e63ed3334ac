"""`POST /v1/chat/completions`: what it gives, whole or in chunks, in OpenAI's shapes."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from decoding.types import Ballot, Delta, Event, Final, Phase, Usage
from server import sse
from server.errors import ApiError
from server.outcome import Outcome
from server.schema.controls import ControlFields
from server.schema.details import thinking_object, usage_object, vote_object


class ChatReply:
    """One response in the making; the same id and time in all its chunks."""

    def __init__(
        self,
        number: str,
        model: str,
        *,
        exclude_reasoning: bool,
        control: ControlFields | None = None,
    ) -> None:
        self._frame = {"id": f"chatcmpl-{number}", "created": int(time.time()), "model": model}
        self._exclude, self._control = exclude_reasoning, control

    def whole(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        return {
            **self._frame,
            "object": "chat.completion",
            "choices": [self._choice(i, outcome) for i, outcome in enumerate(outcomes)],
            "usage": usage_object([outcome.final.usage for outcome in outcomes]),
        }

    def opening(self, index: int) -> dict[str, Any]:
        return self._chunk(index, {"role": "assistant", "content": ""})

    def delta(self, index: int, phase: Phase, text: str) -> dict[str, Any] | None:
        if phase == "content":
            return self._chunk(index, {"content": text})
        if self._exclude:
            return None
        return self._chunk(index, {"reasoning": text, "reasoning_content": text})

    def closing(self, index: int, final: Final) -> dict[str, Any]:
        """The last chunk of a choice has the details of its thinking."""
        details = {"thinking": thinking_object(final.thinking, self._control)}
        if final.vote is not None:
            details["vote"] = vote_object(final.vote)
        return self._chunk(index, {}, finish_reason=final.finish, **details)

    def ballot(self, ballot: Ballot) -> dict[str, Any]:
        """An empty delta, with the sample that finished beside it: clients pass over it."""
        details = {
            "sample": ballot.sample,
            "answer": ballot.answer,
            "weight": ballot.weight,
            "tokens": ballot.generated,
        }
        return self._chunk(0, {}, ballot=details)

    def usage(self, usages: Sequence[Usage]) -> dict[str, Any]:
        return {
            **self._frame,
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": usage_object(usages),
        }

    def _choice(self, index: int, outcome: Outcome) -> dict[str, Any]:
        final = outcome.final
        reasoning = None if self._exclude else outcome.reasoning or None
        choice = {
            "index": index,
            "message": {
                "role": "assistant",
                "content": outcome.content,
                "reasoning": reasoning,
                "reasoning_content": reasoning,
                "refusal": None,
            },
            "finish_reason": final.finish,
            "logprobs": None,
            "thinking": thinking_object(final.thinking, self._control),
        }
        if final.vote is not None:
            choice["vote"] = vote_object(final.vote)
        return choice

    def _chunk(
        self, index: int, delta: dict[str, Any], finish_reason: str | None = None, **more: Any
    ) -> dict[str, Any]:
        choice = {
            "index": index,
            "delta": delta,
            "finish_reason": finish_reason,
            "logprobs": None,
            **more,
        }
        return {**self._frame, "object": "chat.completion.chunk", "choices": [choice]}


class ChatStream:
    """The same response in chunks.

    count: choices that there will be for certain; a vote may have more.
    """

    def __init__(self, reply: ChatReply, count: int, *, include_usage: bool) -> None:
        self._reply, self._include_usage = reply, include_usage
        self._opened = set(range(count))
        self._finals: list[Final] = []

    def opening(self) -> Iterator[str]:
        for index in self._opened:
            yield sse.event(self._reply.opening(index))

    def see(self, index: int, event: Event) -> Iterator[str]:
        if index not in self._opened:
            self._opened.add(index)
            yield sse.event(self._reply.opening(index))
        if isinstance(event, Ballot):
            yield sse.event(self._reply.ballot(event))
        elif isinstance(event, Final):
            self._finals.append(event)
            yield sse.event(self._reply.closing(index, event))
        elif isinstance(event, Delta):
            chunk = self._reply.delta(index, event.phase, event.text) if event.text else None
            if chunk:
                yield sse.event(chunk)

    def closing(self) -> Iterator[str]:
        if self._include_usage:
            yield sse.event(self._reply.usage([final.usage for final in self._finals]))
        yield sse.DONE

    def failed(self, error: ApiError) -> Iterator[str]:
        """No [DONE] comes after it."""
        yield sse.event(error.body())
