"""The output items of `POST /v1/responses`, whole or in the events of a stream."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from decoding.types import ToolCall
from server.outcome import Outcome

TextKind = Literal["reasoning", "message"]
Status = Literal["in_progress", "completed", "incomplete"]
Told = dict[str, Any]
"""An event of a stream, but for its number."""


class Item(Protocol):
    """One output item. `index` is its place in the output."""

    @property
    def index(self) -> int: ...

    def whole(self, status: Status) -> dict[str, Any]: ...

    def opening(self) -> Iterator[Told]: ...

    def closing(self, status: Status) -> Iterator[Told]: ...


@dataclass
class TextItem:
    """A thought, or a message."""

    kind: TextKind
    number: str
    index: int
    text: str = ""

    @property
    def id(self) -> str:
        prefix = "rs" if self.kind == "reasoning" else "msg"
        return f"{prefix}_{self.number}_{self.index}"

    def whole(self, status: Status) -> dict[str, Any]:
        return self._item(status, [self._part(self.text)])

    def opening(self) -> Iterator[Told]:
        yield _item_event("added", self.index, self._item("in_progress", []))
        yield self._event("response.content_part.added", part=self._part(""))

    def more(self, text: str) -> Told:
        self.text += text
        return self._text_event("delta", delta=text)

    def closing(self, status: Status) -> Iterator[Told]:
        yield self._text_event("done", text=self.text)
        yield self._event("response.content_part.done", part=self._part(self.text))
        yield _item_event("done", self.index, self.whole(status))

    def _item(self, status: Status, content: list[dict[str, Any]]) -> dict[str, Any]:
        own: dict[str, Any] = {"summary": []} if self.kind == "reasoning" else {"role": "assistant"}
        return {"id": self.id, "type": self.kind, **own, "content": content, "status": status}

    def _part(self, text: str) -> dict[str, Any]:
        if self.kind == "reasoning":
            return {"type": "reasoning_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def _text_event(self, what: str, **more: Any) -> Told:
        if self.kind == "reasoning":
            return self._event(f"response.reasoning_text.{what}", **more)
        return self._event(f"response.output_text.{what}", **more, logprobs=[])

    def _event(self, name: str, **more: Any) -> Told:
        place = {"item_id": self.id, "output_index": self.index, "content_index": 0}
        return {"type": name, **place, **more}


@dataclass
class CallItem:
    """A call of one of the caller's functions."""

    call: ToolCall
    number: str
    index: int

    @property
    def id(self) -> str:
        return f"fc_{self.number}_{self.index}"

    def whole(self, status: Status) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "function_call",
            "call_id": self.call.id,
            "name": self.call.name,
            "arguments": self.call.arguments,
            "status": status,
        }

    def opening(self) -> Iterator[Told]:
        bare = replace(self, call=replace(self.call, arguments=""))
        yield _item_event("added", self.index, bare.whole("in_progress"))

    def more(self, arguments: str) -> Told:
        self.call = replace(self.call, arguments=self.call.arguments + arguments)
        return self._event("delta", delta=arguments)

    def closing(self, status: Status) -> Iterator[Told]:
        yield self._event("done", arguments=self.call.arguments)
        yield _item_event("done", self.index, self.whole(status))

    def _event(self, what: str, **more: Any) -> Told:
        name = f"response.function_call_arguments.{what}"
        return {"type": name, "item_id": self.id, "output_index": self.index, **more}


def items_of(outcome: Outcome, number: str, *, exclude_reasoning: bool) -> list[Item]:
    """There is a message where there is no call, if an empty one."""
    items: list[Item] = []
    if outcome.reasoning and not exclude_reasoning:
        items.append(TextItem("reasoning", number, len(items), outcome.reasoning))
    if outcome.content or not outcome.tool_calls:
        items.append(TextItem("message", number, len(items), outcome.content))
    for call in outcome.tool_calls:
        items.append(CallItem(call, number, len(items)))
    return items


def _item_event(what: str, index: int, item: dict[str, Any]) -> Told:
    return {"type": f"response.output_item.{what}", "output_index": index, "item": item}
