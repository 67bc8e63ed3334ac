"""The turns of a conversation, in OpenAI's shape, and as chat templates want them."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo
from pydantic import field_validator as validates

from server.engine.images import Image
from server.errors import InvalidRequest
from server.schema.thinking import Strict

Medium = Literal["input_audio", "audio_url", "video_url", "file"]

MEDIA: dict[Medium, str] = {
    "input_audio": "audio",
    "audio_url": "audio",
    "video_url": "videos",
    "file": "files",
}


class TextPart(Strict):
    type: Literal["text"]
    text: str


class ImageUrl(Strict):
    """`detail`: every image is read at the size that the model's processor gives it."""

    url: str
    detail: Literal["auto"] | None = None


class ImagePart(Strict):
    type: Literal["image_url"]
    image_url: ImageUrl


class MediaPart(BaseModel):
    """A part of a message that no model reads here; it is told so by its name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: Medium


def _kind_of_part(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    if kind == "image_url":
        return "[image]"
    return "[medium]" if kind in get_args(Medium) else "[text]"


def _kind_of_content(value: Any) -> str:
    return "[parts]" if isinstance(value, list) else "[string]"


# Tags that are no identifiers, so that an error's field has no union branch in its name.
Part = Annotated[
    Annotated[TextPart, Tag("[text]")]
    | Annotated[ImagePart, Tag("[image]")]
    | Annotated[MediaPart, Tag("[medium]")],
    Discriminator(_kind_of_part),
]
Content = Annotated[
    Annotated[str, Tag("[string]")] | Annotated[list[Part], Tag("[parts]")],
    Discriminator(_kind_of_content),
]


class CalledFunction(Strict):
    """`arguments` is JSON of an object."""

    name: str
    arguments: str

    @property
    def as_object(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


class EarlierCall(Strict):
    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(Strict):
    """A turn; `name` and `reasoning` of earlier turns, under both its names, are the template's.

    What the official client adds when it echoes a reply is accepted while it says nothing.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    name: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[EarlierCall] | None = None
    tool_call_id: str | None = None
    refusal: None = None
    audio: None = None
    annotations: list[Any] | None = Field(None, max_length=0)
    function_call: None = None

    @validates("tool_calls", "tool_call_id")
    @classmethod
    def _of_its_role(cls, value: Any, info: ValidationInfo) -> Any:
        wanted = "assistant" if info.field_name == "tool_calls" else "tool"
        if value and info.data.get("role", wanted) != wanted:
            raise ValueError(f"only a message of role {wanted!r} has it")
        return value

    def for_template(self, field: str) -> dict[str, Any]:
        """field: where the message stands in the request."""
        role = "system" if self.role == "developer" else self.role
        message: dict[str, Any] = {"role": role, "content": self._content(field)}
        reasoning = self.reasoning_content or self.reasoning
        if reasoning:
            message["reasoning_content"] = reasoning
        if self.name:
            message["name"] = self.name
        if self.tool_calls:
            message["tool_calls"] = [
                _for_template(call, f"{field}.tool_calls[{i}]")
                for i, call in enumerate(self.tool_calls)
            ]
        if self.role == "tool":
            if self.tool_call_id is None:
                message_of = f"{field}.tool_call_id: a result of a tool says which call it is of"
                raise InvalidRequest(message_of, f"{field}.tool_call_id")
            message["tool_call_id"] = self.tool_call_id
        return message

    def _content(self, field: str) -> str | list[dict[str, Any]]:
        """A text; parts where an image is among them."""
        content = self.content or ""
        if isinstance(content, str):
            return content
        for i, part in enumerate(content):
            place = f"{field}.content[{i}]"
            if isinstance(part, MediaPart):
                raise InvalidRequest(f"{place}: this model reads no {MEDIA[part.type]}", place)
            if isinstance(part, ImagePart) and self.role != "user":
                raise InvalidRequest(f"{place}: only a message of role 'user' shows images", place)
        if not any(isinstance(part, ImagePart) for part in content):
            return "".join(part.text for part in content if isinstance(part, TextPart))
        return [
            {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}
            for part in content
        ]

    def images(self, field: str) -> list[Image]:
        """In order; field: where the message stands in the request."""
        parts = self.content if isinstance(self.content, list) else []
        return [
            Image(part.image_url.url, f"{field}.content[{i}].image_url.url")
            for i, part in enumerate(parts)
            if isinstance(part, ImagePart)
        ]


def for_template(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Raises InvalidRequest for what no template could render."""
    return [message.for_template(f"messages[{i}]") for i, message in enumerate(messages)]


def last_question(messages: Sequence[Message]) -> str:
    """The text of what the user said last. Raises InvalidRequest where they said nothing."""
    for message in reversed(messages):
        if message.role == "user":
            content = message.content or ""
            parts = [content] if isinstance(content, str) else content
            texts = [each if isinstance(each, str) else getattr(each, "text", "") for each in parts]
            return " ".join(filter(None, texts))
    raise InvalidRequest("messages: should have one of role 'user'", "messages")


def images_of(messages: Sequence[Message]) -> list[Image]:
    """In the order in which a template shows them."""
    return [each for i, message in enumerate(messages) for each in message.images(f"messages[{i}]")]


def _for_template(call: EarlierCall, field: str) -> dict[str, Any]:
    """Arguments as an object: templates write them in JSON themselves."""
    arguments = call.function.as_object
    if arguments is None:
        field = f"{field}.function.arguments"
        raise InvalidRequest(f"{field}: should be a JSON object, as text", field)
    function = {"name": call.function.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}
