"""Tools and formats of `POST /v1/responses`, which chat has one level deeper."""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from server.schema.thinking import Strict
from server.schema.unions import TextOr, told_apart


class FunctionTool(Strict):
    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def as_chat(self) -> dict[str, Any]:
        return {"type": "function", "function": self.model_dump(exclude={"type"})}


class NamedFunction(Strict):
    type: Literal["function"]
    name: str


ToolChoice = TextOr[NamedFunction]


def choice_as_chat(choice: str | NamedFunction) -> Any:
    if isinstance(choice, str):
        return choice
    return {"type": "function", "function": {"name": choice.name}}


class PlainFormat(Strict):
    type: Literal["text", "json_object"]

    def as_chat(self) -> dict[str, Any]:
        return {"type": self.type}


class SchemaFormat(Strict):
    type: Literal["json_schema"]
    name: str
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None

    def as_chat(self) -> dict[str, Any]:
        schema = self.model_dump(exclude={"type"}, by_alias=True)
        return {"type": "json_schema", "json_schema": schema}


Format = Annotated[
    Annotated[PlainFormat, Tag("[text]")]
    | Annotated[PlainFormat, Tag("[json_object]")]
    | Annotated[SchemaFormat, Tag("[json_schema]")],
    told_apart("type", "text", "json_object", "json_schema"),
]
