"""Tools and formats of `POST /v1/messages`, said as a chat says them."""

from typing import Any, Literal

from pydantic import Field

from server.schema.anthropic_input import Block
from server.schema.thinking import EffortName, Strict


class Tool(Block):
    """`input_schema` is a JSON schema. Nothing is streamed otherwise than it is written."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    eager_input_streaming: bool | None = None

    def as_chat(self) -> dict[str, Any]:
        function = self.model_dump(include={"name", "description", "strict"})
        return {"type": "function", "function": {**function, "parameters": self.input_schema}}


class ToolChoice(Strict):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False

    def as_chat(self) -> Any:
        match self.type:
            case "tool":
                return {"type": "function", "function": {"name": self.name}}
            case "any":
                return "required"
            case _:
                return self.type


class OutputFormat(Strict):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    def as_chat(self) -> dict[str, Any]:
        schema = {"name": "output", "schema": self.schema_}
        return {"type": "json_schema", "json_schema": schema}


class OutputConfig(Strict):
    effort: EffortName | None = None
    format: OutputFormat | None = None
