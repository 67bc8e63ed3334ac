"""`POST /v1/chat/completions`: what it gives, whole or in chunks, in OpenAI's shapes."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from decoding.types import (
    Ballot,
    Delta,
    Event,
    Final,
    Step,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from server import sse
from server.errors import ApiError
from server.outcome import Outcome
from server.schema.controls import ControlFields
from server.schema.details import thinking_object, usage_object, vote_object
from server.schema.logprobs import logprobs_object
from server.schema.scholar import step_object, study_object
from server.schema.self_rag import evidence_object


class ChatReply:
    """One response in the making; the same id and time in all its chunks."""

    def __init__(
        self,
        number: str,
        model: str,
        *,
        exclude_reasoning: bool,
        logprobs: bool = False,
        control: ControlFields | None = None,
        reduced_from: int | None = None,
        fingerprint: Callable[[], str] | None = None,
        token_ids: Sequence[int] | None = None,
        tree: bool = False,
    ) -> None:
        """fingerprint: names the weights that have written, so far. token_ids: of the prompt,
        where those of prompt and completions are to be told. tree: whether all that was tried for
        an answer is."""
        self._made = {"id": f"chatcmpl-{number}", "created": int(time.time()), "model": model}
        self._fingerprint, self._token_ids = fingerprint, token_ids
        self._exclude, self._logprobs = exclude_reasoning, logprobs
        self._control, self._reduced_from, self._tree = control, reduced_from, tree

    @property
    def _frame(self) -> dict[str, Any]:
        if self._fingerprint is None:
            return self._made
        return {**self._made, "system_fingerprint": self._fingerprint()}

    def whole(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        told = {} if self._token_ids is None else {"prompt_token_ids": list(self._token_ids)}
        return {
            **self._frame,
            "object": "chat.completion",
            **told,
            "choices": [self._choice(i, outcome) for i, outcome in enumerate(outcomes)],
            "usage": usage_object([outcome.final.usage for outcome in outcomes]),
        }

    def opening(self, index: int) -> dict[str, Any]:
        return self._chunk(index, {"role": "assistant", "content": ""})

    def delta(self, index: int, said: Any, logprobs: Sequence[TokenLogprob] = ()) -> dict[str, Any]:
        return self._chunk(index, said, logprobs=logprobs)

    def said(self, delta: Delta) -> dict[str, Any]:
        """What a delta says to this client, which may be nothing."""
        if delta.phase == "reasoning":
            if self._exclude or not delta.text:
                return {}
            return {"reasoning": delta.text, "reasoning_content": delta.text}
        said: dict[str, Any] = {"content": delta.text} if delta.text else {}
        if delta.tool_calls:
            said["tool_calls"] = [_tool_call_delta(piece) for piece in delta.tool_calls]
        return said

    def closing(self, index: int, final: Final) -> dict[str, Any]:
        """The last chunk of a choice has the details of its thinking."""
        details: dict[str, Any] = {"thinking": self._thinking(final)}
        if final.vote is not None:
            details["vote"] = vote_object(final.vote)
        if final.evidence is not None:
            details["self_rag"] = evidence_object(final.evidence, tree=self._tree)
        if final.study is not None:
            details["scholar"] = study_object(final.study)
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

    def step(self, index: int, step: Step) -> dict[str, Any]:
        """An empty delta, with the stage that is over beside it."""
        return self._chunk(index, {}, step=step_object(step))

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
                "content": outcome.content or (None if outcome.tool_calls else ""),
                "reasoning": reasoning,
                "reasoning_content": reasoning,
                "refusal": None,
                **_tool_calls(outcome.tool_calls),
            },
            "finish_reason": final.finish,
            "logprobs": logprobs_object(outcome.logprobs) if self._logprobs else None,
            "thinking": self._thinking(final),
        }
        if final.vote is not None:
            choice["vote"] = vote_object(final.vote)
        if final.evidence is not None:
            choice["self_rag"] = evidence_object(final.evidence, tree=self._tree)
        if final.study is not None:
            choice["scholar"] = study_object(final.study)
        if self._token_ids is not None:
            choice["token_ids"] = list(final.token_ids)
        return choice

    def _thinking(self, final: Final) -> dict[str, Any] | None:
        return thinking_object(final.thinking, self._control, self._reduced_from)

    def _chunk(
        self,
        index: int,
        delta: Any,
        finish_reason: str | None = None,
        logprobs: Sequence[TokenLogprob] = (),
        **more: Any,
    ) -> dict[str, Any]:
        choice = {
            "index": index,
            "delta": delta,
            "finish_reason": finish_reason,
            "logprobs": logprobs_object(logprobs) if logprobs else None,
            **more,
        }
        return {**self._frame, "object": "chat.completion.chunk", "choices": [choice]}


def _tool_calls(calls: Sequence[ToolCall]) -> dict[str, Any]:
    """Nothing for an answer without calls: clients test whether the field is there."""
    if not calls:
        return {}
    return {
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    }


def _tool_call_delta(piece: ToolCallDelta) -> dict[str, Any]:
    if piece.id is None:
        return {"index": piece.index, "function": {"arguments": piece.arguments}}
    return {
        "index": piece.index,
        "id": piece.id,
        "type": "function",
        "function": {"name": piece.name, "arguments": piece.arguments},
    }


class ChatStream:
    """The same response in chunks.

    count: choices that there will be for certain; a vote may have more.
    """

    def __init__(self, reply: ChatReply, count: int, *, include_usage: bool) -> None:
        self._reply, self._include_usage = reply, include_usage
        self._opened = set(range(count))
        self._finals: list[Final] = []
        self._frames: dict[int, sse.Frame] = {}

    def opening(self) -> Iterator[str]:
        for index in self._opened:
            yield sse.event(self._reply.opening(index))

    def see(self, index: int, event: Event) -> Iterator[str]:
        if index not in self._opened:
            self._opened.add(index)
            yield sse.event(self._reply.opening(index))
        if isinstance(event, Ballot):
            yield sse.event(self._reply.ballot(event))
        elif isinstance(event, Step):
            yield sse.event(self._reply.step(index, event))
        elif isinstance(event, Final):
            self._finals.append(event)
            yield sse.event(self._reply.closing(index, event))
        elif isinstance(event, Delta):
            said = self._reply.said(event)
            if event.logprobs:
                yield sse.event(self._reply.delta(index, said, event.logprobs))
            elif said:
                yield self._frame(index).event(said)

    def _frame(self, index: int) -> sse.Frame:
        """Of the chunks that have nothing but a delta, of which there is one a token."""
        if index not in self._frames:
            self._frames[index] = sse.Frame(self._reply.delta(index, sse.Frame.SLOT))
        return self._frames[index]

    def closing(self) -> Iterator[str]:
        if self._include_usage:
            yield sse.event(self._reply.usage([final.usage for final in self._finals]))
        yield sse.DONE

    def failed(self, error: ApiError) -> Iterator[str]:
        """No [DONE] comes after it."""
        yield sse.event(error.body())
