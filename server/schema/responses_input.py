"""`input` of `POST /v1/responses`: items of a conversation, as messages of a chat."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from server.schema.thinking import Strict
from server.schema.unions import TextOr, told_apart

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class InputText(Strict):
    type: Literal["input_text"]
    text: str


class InputImage(Strict):
    """By its URL: no files are kept here."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto"] | None = None
    file_id: None = None

    def part(self) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": self.image_url}}


class OutputText(Strict):
    """As replies have it; what else a client echoes is accepted while it says nothing."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any] | None = Field(None, max_length=0)
    logprobs: list[Any] | None = None


class ReasoningText(Strict):
    type: Literal["reasoning_text"]
    text: str


class SummaryText(Strict):
    type: Literal["summary_text"]
    text: str


AnyPart = Annotated[
    Annotated[InputText, Tag("[input_text]")]
    | Annotated[InputImage, Tag("[input_image]")]
    | Annotated[OutputText, Tag("[output_text]")],
    told_apart("type", "input_text", "input_image", "output_text"),
]
Part = InputText | OutputText | ReasoningText | SummaryText


class Item(Strict):
    """`id` and `status` are the server's own words, sent back."""

    id: str | None = None
    status: ItemStatus | None = None

    def message(self) -> dict[str, Any]:
        """What it says, as a chat message."""
        raise NotImplementedError


class MessageItem(Item):
    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: TextOr[list[AnyPart]]
    phase: Literal["commentary", "final_answer"] | None = None

    def message(self) -> dict[str, Any]:
        return {"role": self.role, "content": _content(self.content)}


class ReasoningItem(Item):
    """An earlier thought. Its summary stands for it where that is all that came."""

    type: Literal["reasoning"]
    summary: list[SummaryText] = Field([])
    content: list[ReasoningText] | None = None
    encrypted_content: None = None

    def message(self) -> dict[str, Any]:
        return {"role": "assistant", "reasoning_content": _text(self.content or self.summary)}


class FunctionCallItem(Item):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str

    def message(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": self.arguments}
        call = {"id": self.call_id, "type": "function", "function": function}
        return {"role": "assistant", "tool_calls": [call]}


class FunctionCallOutput(Item):
    type: Literal["function_call_output"]
    call_id: str
    output: TextOr[list[InputText]]

    def message(self) -> dict[str, Any]:
        return {"role": "tool", "tool_call_id": self.call_id, "content": _text(self.output)}


AnyItem = Annotated[
    Annotated[MessageItem, Tag("[message]")]
    | Annotated[ReasoningItem, Tag("[reasoning]")]
    | Annotated[FunctionCallItem, Tag("[function_call]")]
    | Annotated[FunctionCallOutput, Tag("[function_call_output]")],
    told_apart(
        "type", "message", "reasoning", "function_call", "function_call_output", default="message"
    ),
]


def as_messages(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Reasoning, text and calls of one turn of the assistant are one message of a chat."""
    messages: list[dict[str, Any]] = []
    for item in items:
        message = item.message()
        if messages and _continues(messages[-1], message):
            calls = [*messages[-1].get("tool_calls", ()), *message.get("tool_calls", ())]
            messages[-1] |= {**message, **({"tool_calls": calls} if calls else {})}
        else:
            messages.append(message)
    return messages


def _continues(turn: dict[str, Any], message: dict[str, Any]) -> bool:
    """Whether `message` is more of the assistant's turn: it thinks, speaks and calls, in order."""
    if not turn["role"] == message["role"] == "assistant":
        return False
    order = ("reasoning_content", "content", "tool_calls")
    last = max(order.index(key) for key in turn.keys() - {"role"})
    first = min(order.index(key) for key in message.keys() - {"role"})
    return first > last or first == last == order.index("tool_calls")


def _content(
    content: str | Sequence[InputText | InputImage | OutputText],
) -> str | list[dict[str, Any]]:
    """A text; parts of a chat message where an image is among them."""
    if isinstance(content, str):
        return content
    texts = [each for each in content if not isinstance(each, InputImage)]
    if len(texts) == len(content):
        return _text(texts)
    return [
        each.part() if isinstance(each, InputImage) else {"type": "text", "text": each.text}
        for each in content
    ]


def _text(content: str | Sequence[Part]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)
