"""`POST /v1/messages`: what it gives, whole or in events, in Anthropic's shapes."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from decoding.types import Delta, Event, Final, ToolCall, ToolCallDelta, Usage
from server import sse
from server.errors import ApiError, anthropic_body
from server.outcome import Outcome
from server.schema.controls import ControlFields
from server.schema.details import thinking_object, vote_object

Kind = Literal["thinking", "text", "tool_use"]

UNSIGNED = ""
"""Nothing is signed: a thought that comes back is taken as it is."""


class MessageReply:
    """One message in the making."""

    def __init__(
        self,
        number: str,
        model: str,
        *,
        exclude_reasoning: bool,
        control: ControlFields | None,
        reduced_from: int | None,
    ) -> None:
        self._frame = {"id": f"msg_{number}", "type": "message", "role": "assistant"}
        self._frame["model"] = model
        self.exclude_reasoning = exclude_reasoning
        self._control, self._reduced_from = control, reduced_from

    def whole(self, outcome: Outcome) -> dict[str, Any]:
        blocks = []
        if outcome.reasoning and not self.exclude_reasoning:
            blocks.append(thinking_block(outcome.reasoning))
        if outcome.content or not outcome.tool_calls:
            blocks.append(text_block(outcome.content))
        blocks += [tool_block(call) for call in outcome.tool_calls]
        final = outcome.final
        return {
            **self._frame,
            "content": blocks,
            **stop(final),
            "usage": usage_object(final.usage),
            **self.details(final),
        }

    def unfinished(self, prompt_tokens: int) -> dict[str, Any]:
        usage = {"input_tokens": prompt_tokens, "output_tokens": 0}
        unsaid = {"stop_reason": None, "stop_sequence": None}
        return {**self._frame, "content": [], **unsaid, "usage": usage}

    def details(self, final: Final) -> dict[str, Any]:
        """Bide's own."""
        thinking = thinking_object(final.thinking, self._control, self._reduced_from)
        details = {"thinking": thinking}
        return details if final.vote is None else {**details, "vote": vote_object(final.vote)}


class MessageStream:
    """The same message in events, a block after the other."""

    def __init__(self, reply: MessageReply, prompt_tokens: int) -> None:
        self._reply, self._prompt_tokens = reply, prompt_tokens
        self._open: Kind | None = None
        self._index = -1

    def opening(self) -> Iterator[str]:
        yield _event("message_start", message=self._reply.unfinished(self._prompt_tokens))

    def see(self, _: int, event: Event) -> Iterator[str]:
        if isinstance(event, Delta):
            yield from self._delta(event)
        elif isinstance(event, Final):
            if self._open in (None, "thinking"):
                yield from self._next("text", text_block(""))
            yield from self._close()
            usage, details = usage_object(event.usage), self._reply.details(event)
            yield _event("message_delta", delta=stop(event), usage=usage, **details)

    def closing(self) -> Iterator[str]:
        yield _event("message_stop")

    def failed(self, error: ApiError) -> Iterator[str]:
        yield sse.event(anthropic_body(error), "error")

    def _delta(self, delta: Delta) -> Iterator[str]:
        if delta.text and delta.phase == "content":
            if self._open != "text":
                yield from self._next("text", text_block(""))
            yield self._more("text_delta", text=delta.text)
        elif delta.text and not self._reply.exclude_reasoning:
            if self._open != "thinking":
                yield from self._next("thinking", thinking_block(""))
            yield self._more("thinking_delta", thinking=delta.text)
        for piece in delta.tool_calls:
            yield from self._call(piece)

    def _call(self, piece: ToolCallDelta) -> Iterator[str]:
        if piece.id is not None:
            call = ToolCall(piece.id, piece.name or "", "{}")
            yield from self._next("tool_use", tool_block(call))
        if piece.arguments:
            yield self._more("input_json_delta", partial_json=piece.arguments)

    def _next(self, kind: Kind, block: dict[str, Any]) -> Iterator[str]:
        yield from self._close()
        self._open, self._index = kind, self._index + 1
        yield _event("content_block_start", index=self._index, content_block=block)

    def _close(self) -> Iterator[str]:
        if self._open == "thinking":
            yield self._more("signature_delta", signature=UNSIGNED)
        if self._open is not None:
            yield _event("content_block_stop", index=self._index)

    def _more(self, kind: str, **more: str) -> str:
        return _event("content_block_delta", index=self._index, delta={"type": kind, **more})


def thinking_block(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": UNSIGNED}


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "citations": None}


def tool_block(call: ToolCall) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": call.id,
        "name": call.name,
        "input": _object(call.arguments),
    }


def _object(arguments: str) -> dict[str, Any]:
    """Empty where a call was cut, or says no object: Anthropic's shape has no place for others."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def stop(final: Final) -> dict[str, str | None]:
    if final.finish == "stop" and final.stop_text is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": final.stop_text}
    reasons = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    return {"stop_reason": reasons[final.finish], "stop_sequence": None}


def usage_object(usage: Usage) -> dict[str, Any]:
    """What is read from the prefix cache is not told apart."""
    return {
        "input_tokens": usage.prompt,
        "output_tokens": usage.completion,
        "output_tokens_details": {
            "thinking_tokens": usage.reasoning,
            "injected_tokens": usage.injected,
            "discarded_tokens": usage.discarded,
        },
    }


def _event(name: str, **more: Any) -> str:
    return sse.event({"type": name, **more}, name)
