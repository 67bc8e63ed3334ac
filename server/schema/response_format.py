"""What an answer must be written in: `response_format`, and vLLM's `structured_outputs`."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Tag, model_validator

from decoding.types import Grammar
from server.errors import InvalidRequest
from server.schema.thinking import Strict
from server.schema.unions import told_apart

LONGEST = 1 << 16
"""Characters of a grammar. The compiler takes about a millisecond for a thousand."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A grammar, and the field of the request that asked for it."""

    grammar: Grammar
    field: str

    def __post_init__(self) -> None:
        length = len(self.grammar.value)
        if length > LONGEST:
            message = f"{self.field}: {length:,} characters, {LONGEST:,} at most"
            raise InvalidRequest(message, self.field)


def json_binding(schema: dict[str, Any], field: str) -> Binding:
    return Binding(Grammar("json", json.dumps(schema, ensure_ascii=False)), field)


class TextFormat(Strict):
    type: Literal["text"]

    def binding(self) -> Binding | None:
        return None


class JsonObjectFormat(Strict):
    type: Literal["json_object"]

    def binding(self) -> Binding | None:
        return json_binding({"type": "object"}, "response_format")


class NamedSchema(Strict):
    """An answer is always bound, as `strict` asks for; `name` and `description` say what it is for
    the reader of the request."""

    name: str
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(Strict):
    type: Literal["json_schema"]
    json_schema: NamedSchema

    def binding(self) -> Binding | None:
        return json_binding(self.json_schema.schema_, "response_format.json_schema.schema")


ResponseFormat = Annotated[
    Annotated[TextFormat, Tag("[text]")]
    | Annotated[JsonObjectFormat, Tag("[json_object]")]
    | Annotated[JsonSchemaFormat, Tag("[json_schema]")],
    told_apart("type", "text", "json_object", "json_schema"),
]


class StructuredOutputs(Strict):
    """vLLM's own field: one of these. `grammar` is EBNF as xgrammar reads it."""

    json_: dict[str, Any] | None = Field(None, alias="json")
    regex: str | None = Field(None, min_length=1)
    choice: list[str] | None = Field(None, min_length=1)
    grammar: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = (self.json_, self.regex, self.choice, self.grammar)
        if sum(each is not None for each in given) != 1:
            raise ValueError("should have exactly one of json, regex, choice and grammar")
        return self

    def binding(self) -> Binding:
        if self.json_ is not None:
            return json_binding(self.json_, "structured_outputs.json")
        if self.choice is not None:
            value = json.dumps(self.choice, ensure_ascii=False)
            return Binding(Grammar("choice", value), "structured_outputs.choice")
        if self.regex is not None:
            return Binding(Grammar("regex", self.regex), "structured_outputs.regex")
        return Binding(Grammar("grammar", self.grammar or ""), "structured_outputs.grammar")
