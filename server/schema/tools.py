"""Tools that an answer may call, or has to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from decoding.forced_calls import NO_PARAMETERS, CallsReader, NamedReader, schema_of_calls
from decoding.tool_calls import ToolReader
from server.errors import InvalidRequest
from server.schema.response_format import Binding, json_binding
from server.schema.thinking import Strict

MOST = 128

ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


class Function(Strict):
    """`parameters` is a JSON schema; without one the function takes none."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_.:-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @property
    def takes(self) -> Mapping[str, Any]:
        return self.parameters or NO_PARAMETERS


class Tool(Strict):
    type: Literal["function"]
    function: Function

    def for_template(self) -> dict[str, Any]:
        """With parameters in any case: templates count on them."""
        function: dict[str, Any] = {
            "name": self.function.name,
            "parameters": dict(self.function.takes),
        }
        if self.function.description is not None:
            function["description"] = self.function.description
        return {"type": "function", "function": function}


class FunctionName(Strict):
    name: str


class NamedTool(Strict):
    type: Literal["function"]
    function: FunctionName


def _form(value: Any) -> str:
    return "[name]" if isinstance(value, str) else "[object]"


# Tags that are no identifiers, so that an error's field has no union branch in its name.
ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("[name]")]
    | Annotated[NamedTool, Tag("[object]")],
    Discriminator(_form),
]


@dataclass(frozen=True, slots=True)
class Forced:
    """What makes an answer nothing but calls, and reads them."""

    binding: Binding
    reader: Callable[[], ToolReader]


class ToolFields(Strict):
    """The fields of a request that speak of tools."""

    tools: list[Tool] | None = Field(None, max_length=MOST)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None

    @property
    def offered(self) -> list[dict[str, Any]]:
        """The tools as the template is to show them: none where none may be called."""
        shown = self.tool_choice != "none"
        return [tool.for_template() for tool in self.tools or ()] if shown else []

    @property
    def may_call(self) -> bool:
        """Whether the model chooses for itself whether to call any."""
        return bool(self.tools) and self.tool_choice in (None, "auto")

    def forced(self) -> Forced | None:
        """None where no call is demanded. Raises InvalidRequest for one that cannot be made."""
        self._refuse_twins()
        choice, tools = self.tool_choice, self.tools or []
        if choice is None or choice in ("none", "auto"):
            return None
        if not tools:
            raise InvalidRequest("tool_choice: there are no tools to call", "tool_choice")
        if isinstance(choice, NamedTool):
            return self._named(choice.function.name, tools)
        functions = {tool.function.name: tool.function.takes for tool in tools}
        try:
            schema = schema_of_calls(functions, parallel=self.parallel_tool_calls is not False)
        except ValueError as error:
            raise InvalidRequest(f"tools: {error}", "tools") from error
        return Forced(json_binding(schema, "tools"), CallsReader)

    def _named(self, name: str, tools: list[Tool]) -> Forced:
        for i, tool in enumerate(tools):
            if tool.function.name == name:
                field = f"tools[{i}].function.parameters"
                binding = json_binding(dict(tool.function.takes), field)
                return Forced(binding, lambda: NamedReader(name))
        field = "tool_choice.function.name"
        raise InvalidRequest(f"{field}: there is no tool {name!r}", field)

    @property
    def strict(self) -> dict[str, str]:
        """The functions whose calls are to be bound: their names, and the fields that say so."""
        return {
            tool.function.name: f"tools[{i}].function.strict"
            for i, tool in enumerate(self.tools or ())
            if tool.function.strict
        }

    @property
    def bound_functions(self) -> dict[str, Mapping[str, Any]]:
        """Name to the schema of the arguments; of one that is not strict, any object."""
        return {
            tool.function.name: tool.function.takes if tool.function.strict else ANY_OBJECT
            for tool in self.tools or ()
        }

    def _refuse_twins(self) -> None:
        names: set[str] = set()
        for i, tool in enumerate(self.tools or ()):
            if tool.function.name in names:
                field = f"tools[{i}].function.name"
                raise InvalidRequest(f"{field}: {tool.function.name!r} is there twice", field)
            names.add(tool.function.name)
