"""`messages` of `POST /v1/messages`: turns of Anthropic's content blocks, as messages of a chat."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from server.schema.thinking import Strict
from server.schema.unions import TextOr, told_apart


class CacheControl(Strict):
    """A hint; the prefix cache takes none."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Block(Strict):
    cache_control: CacheControl | None = None


class TextBlock(Block):
    type: Literal["text"]
    text: str
    citations: list[Any] | None = Field(None, max_length=0)


class Base64Source(Strict):
    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str

    @property
    def url(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


class UrlSource(Strict):
    type: Literal["url"]
    url: str


class ImageBlock(Block):
    type: Literal["image"]
    source: Annotated[
        Annotated[Base64Source, Tag("[base64]")] | Annotated[UrlSource, Tag("[url]")],
        told_apart("type", "base64", "url"),
    ]

    def part(self) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": self.source.url}}


class ThinkingBlock(Strict):
    """An earlier thought. Nothing is signed here, and no signature is checked."""

    type: Literal["thinking"]
    thinking: str
    signature: str = ""


class RedactedThinkingBlock(Strict):
    """Another server's, which only that one can read."""

    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(Block):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: None = None

    def call(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": json.dumps(self.input, ensure_ascii=False)}
        return {"id": self.id, "type": "function", "function": function}


class ToolResultBlock(Block):
    """`is_error` is for the model to see: it is said before the content."""

    type: Literal["tool_result"]
    tool_use_id: str
    content: TextOr[list[TextBlock]] = ""
    is_error: bool = False

    def message(self) -> dict[str, Any]:
        content = f"Error: {text_of(self.content)}" if self.is_error else text_of(self.content)
        return {"role": "tool", "tool_call_id": self.tool_use_id, "content": content}


UserBlock = Annotated[
    Annotated[TextBlock, Tag("[text]")]
    | Annotated[ImageBlock, Tag("[image]")]
    | Annotated[ToolResultBlock, Tag("[tool_result]")],
    told_apart("type", "text", "image", "tool_result"),
]
AssistantBlock = Annotated[
    Annotated[TextBlock, Tag("[text]")]
    | Annotated[ThinkingBlock, Tag("[thinking]")]
    | Annotated[RedactedThinkingBlock, Tag("[redacted_thinking]")]
    | Annotated[ToolUseBlock, Tag("[tool_use]")],
    told_apart("type", "text", "thinking", "redacted_thinking", "tool_use"),
]


class UserTurn(Strict):
    role: Literal["user"]
    content: TextOr[list[UserBlock]]

    def messages(self) -> list[dict[str, Any]]:
        """Results of tools first, as the calls that they answer came before."""
        if isinstance(self.content, str):
            return [{"role": "user", "content": self.content}]
        results = [each.message() for each in self.content if isinstance(each, ToolResultBlock)]
        said = [each for each in self.content if not isinstance(each, ToolResultBlock)]
        if said or not results:
            results.append({"role": "user", "content": parts_of(said)})
        return results


class AssistantTurn(Strict):
    role: Literal["assistant"]
    content: TextOr[list[AssistantBlock]]

    def messages(self) -> list[dict[str, Any]]:
        if isinstance(self.content, str):
            return [{"role": "assistant", "content": self.content}]
        texts = [each for each in self.content if isinstance(each, TextBlock)]
        thoughts = [each.thinking for each in self.content if isinstance(each, ThinkingBlock)]
        calls = [each.call() for each in self.content if isinstance(each, ToolUseBlock)]
        message: dict[str, Any] = {"role": "assistant", "content": text_of(texts)}
        if thoughts:
            message["reasoning_content"] = "".join(thoughts)
        if calls:
            message["tool_calls"] = calls
        return [message]


AnyTurn = Annotated[
    Annotated[UserTurn, Tag("[user]")] | Annotated[AssistantTurn, Tag("[assistant]")],
    told_apart("role", "user", "assistant"),
]


def as_messages(
    system: str | Sequence[TextBlock] | None, turns: Iterable[AnyTurn]
) -> list[dict[str, Any]]:
    opening = [{"role": "system", "content": text_of(system)}] if system else []
    return [*opening, *(message for turn in turns for message in turn.messages())]


def parts_of(content: Sequence[TextBlock | ImageBlock]) -> str | list[dict[str, Any]]:
    """A text; parts of a chat message where an image is among them."""
    texts = [each for each in content if isinstance(each, TextBlock)]
    if len(texts) == len(content):
        return text_of(texts)
    return [
        {"type": "text", "text": each.text} if isinstance(each, TextBlock) else each.part()
        for each in content
    ]


def text_of(content: str | Sequence[TextBlock]) -> str:
    return content if isinstance(content, str) else "".join(block.text for block in content)
