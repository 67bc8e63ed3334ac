"""`POST /v1/responses`: what it gives, whole or in events, in OpenAI's shapes."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from decoding.types import Delta, Event, Final, ToolCall, ToolCallDelta, Usage
from server import sse
from server.errors import ApiError
from server.outcome import Outcome
from server.schema.controls import ControlFields
from server.schema.details import thinking_object, token_details, vote_object
from server.schema.responses import ResponsesRequest
from server.schema.responses_items import CallItem, Item, Status, TextItem, TextKind, Told, items_of


class ResponsesReply:
    """One response in the making."""

    def __init__(
        self,
        number: str,
        body: ResponsesRequest,
        model: str,
        *,
        control: ControlFields | None,
        reduced_from: int | None,
    ) -> None:
        self.number, self.exclude_reasoning = number, body.exclude_reasoning
        self._control, self._reduced_from = control, reduced_from
        self._frame = {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            **_echoed(body),
        }

    def whole(self, outcome: Outcome) -> dict[str, Any]:
        items = items_of(outcome, self.number, exclude_reasoning=self.exclude_reasoning)
        return self.finished(items, outcome.final)

    def unfinished(self) -> dict[str, Any]:
        return self._response("in_progress", [])

    def finished(self, items: Sequence[Item], final: Final) -> dict[str, Any]:
        status = status_of(final)
        thinking = thinking_object(final.thinking, self._control, self._reduced_from)
        details = {"thinking": thinking}
        if final.vote is not None:
            details["vote"] = vote_object(final.vote)
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return self._response(
            status,
            _output(items, status),
            incomplete_details=cut,
            usage=_usage(final.usage),
            **details,
        )

    def failed(self, items: Sequence[Item], error: ApiError) -> dict[str, Any]:
        told = {"code": "server_error", "message": error.message}
        return self._response("failed", _output(items, "incomplete"), error=told)

    def _response(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        unsaid = {"error": None, "incomplete_details": None, "usage": None}
        return {**self._frame, "status": status, "output": output, **unsaid, **more}


class ResponsesStream:
    """The same response in events, numbered from 0."""

    def __init__(self, reply: ResponsesReply) -> None:
        self._reply = reply
        self._items: list[Item] = []
        self._said = 0

    def opening(self) -> Iterator[str]:
        for name in ("response.created", "response.in_progress"):
            yield self._event({"type": name, "response": self._reply.unfinished()})

    def see(self, _: int, event: Event) -> Iterator[str]:
        if isinstance(event, Delta):
            told = self._delta(event)
        elif isinstance(event, Final):
            told = self._final(event)
        else:
            return
        yield from map(self._event, told)

    def closing(self) -> Iterator[str]:
        yield from ()

    def failed(self, error: ApiError) -> Iterator[str]:
        response = self._reply.failed(self._items, error)
        yield self._event({"type": "response.failed", "response": response})

    def _delta(self, delta: Delta) -> Iterator[Told]:
        hidden = delta.phase == "reasoning" and self._reply.exclude_reasoning
        if delta.text and not hidden:
            yield from self._text(
                "message" if delta.phase == "content" else "reasoning", delta.text
            )
        for piece in delta.tool_calls:
            yield from self._call(piece)

    def _text(self, kind: TextKind, text: str) -> Iterator[Told]:
        item = self._items[-1] if self._items else None
        if not isinstance(item, TextItem) or item.kind != kind:
            item = TextItem(kind, self._reply.number, len(self._items))
            yield from self._next(item)
        yield item.more(text)

    def _call(self, piece: ToolCallDelta) -> Iterator[Told]:
        item = self._items[-1] if self._items else None
        if piece.id is not None or not isinstance(item, CallItem):
            call = ToolCall(piece.id or "", piece.name or "", "")
            item = CallItem(call, self._reply.number, len(self._items))
            yield from self._next(item)
        if piece.arguments:
            yield item.more(piece.arguments)

    def _next(self, item: Item) -> Iterator[Told]:
        """Close the item before `item`, and open it."""
        if self._items:
            yield from self._items[-1].closing("completed")
        self._items.append(item)
        yield from item.opening()

    def _final(self, final: Final) -> Iterator[Told]:
        status = status_of(final)
        if not self._items or _is_thought(self._items[-1]):
            yield from self._next(TextItem("message", self._reply.number, len(self._items)))
        yield from self._items[-1].closing(status)
        response = self._reply.finished(self._items, final)
        yield {"type": f"response.{status}", "response": response}

    def _event(self, told: Told) -> str:
        number, self._said = self._said, self._said + 1
        return sse.event({**told, "sequence_number": number}, told["type"])


def status_of(final: Final) -> Status:
    return "incomplete" if final.finish == "length" else "completed"


def _is_thought(item: Item) -> bool:
    return isinstance(item, TextItem) and item.kind == "reasoning"


def _output(items: Sequence[Item], last: Status) -> list[dict[str, Any]]:
    """All items but the last are complete."""
    return [item.whole("completed" if item is not items[-1] else last) for item in items]


def _echoed(body: ResponsesRequest) -> dict[str, Any]:
    """What a response says of its request."""
    effort = body.reasoning_effort or (body.reasoning.effort if body.reasoning else None)
    format_ = body.text.format if body.text else None
    choice = body.tool_choice or "auto"
    return {
        "background": False,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": effort, "summary": None},
        "service_tier": body.service_tier,
        "store": False,
        "temperature": body.temperature,
        "text": {"format": format_.model_dump(by_alias=True) if format_ else {"type": "text"}},
        "tool_choice": choice if isinstance(choice, str) else choice.model_dump(),
        "tools": [tool.model_dump() for tool in body.tools or ()],
        "top_p": body.top_p,
        "truncation": "disabled",
        "user": body.user,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    """Cached tokens of the prompt are not told apart."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": token_details([usage]),
        "total_tokens": usage.prompt + usage.completion,
    }
