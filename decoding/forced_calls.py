"""Tool calls that a grammar binds: an answer is then nothing else, and written as said here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from decoding.tool_calls import Read, call_id
from decoding.types import ToolCallDelta

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


def schema_of_calls(
    functions: Mapping[str, Mapping[str, Any]], *, parallel: bool
) -> dict[str, Any]:
    """A JSON schema of one call or more, for `CallsReader`.

    functions: name to the schema of the parameters; parallel: whether there may be several calls.
    Raises ValueError where two functions define something different under the same name.
    """
    shared: dict[str, Any] = {}
    calls = []
    for name, parameters in functions.items():
        own = dict(parameters)
        for definition, meaning in own.pop("$defs", {}).items():
            if shared.setdefault(definition, meaning) != meaning:
                raise ValueError(f"$defs.{definition} of {name} is another function's too")
        calls.append(
            {
                "type": "object",
                "properties": {"name": {"type": "string", "enum": [name]}, "parameters": own},
                "required": ["name", "parameters"],
                "additionalProperties": False,
            }
        )
    schema: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"anyOf": calls}}
    if not parallel:
        schema["maxItems"] = 1
    if shared:
        schema["$defs"] = shared
    return schema


class NamedReader:
    """As a ToolReader: the whole answer is the arguments of one call of `name`."""

    def __init__(self, name: str) -> None:
        self._name: str | None = name

    def feed(self, text: str, token_ids: Sequence[int]) -> Read:
        if not text:
            return Read()
        if self._name is None:
            return Read(tool_calls=(ToolCallDelta(0, text),))
        first = ToolCallDelta(0, text, call_id(), self._name)
        self._name = None
        return Read(tool_calls=(first,))

    def end(self) -> Read:
        return Read()


class CallsReader:
    """As a ToolReader: the answer is as `schema_of_calls` says. Arguments are said as they come.

    The depth is 1 in the array, 2 in a call, and more in its arguments.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._in_text = self._escaped = False
        self._word = ""
        """The text that is being read in a call: a key, or the name."""
        self._key = ""
        self._name: str | None = None
        self._calls = 0
        self._said = False
        """Whether the call that is being read has been told of."""

    def feed(self, text: str, token_ids: Sequence[int]) -> Read:
        pieces: list[ToolCallDelta] = []
        arguments = ""
        for letter in text:
            if self._reads(letter):
                arguments += letter
            elif arguments:
                pieces.append(self._piece(arguments))
                arguments = ""
            self._step(letter)
        if arguments:
            pieces.append(self._piece(arguments))
        return Read(tool_calls=tuple(pieces))

    def end(self) -> Read:
        return Read()

    def _reads(self, letter: str) -> bool:
        """Whether a letter is of the arguments."""
        if self._key != "parameters" or self._depth < 2:
            return False
        if self._depth > 2 or self._in_text:
            return True
        return letter not in ":,}" and not letter.isspace()

    def _piece(self, arguments: str) -> ToolCallDelta:
        if self._said:
            return ToolCallDelta(self._calls - 1, arguments)
        self._said = True
        self._calls += 1
        return ToolCallDelta(self._calls - 1, arguments, call_id(), self._name)

    def _step(self, letter: str) -> None:
        if self._in_text:
            self._step_in_text(letter)
        elif letter == '"':
            self._in_text, self._word = True, ""
        elif letter in "{[":
            self._depth += 1
            if self._depth == 2:
                self._key, self._name, self._said = "", None, False
        elif letter in "}]":
            self._depth -= 1
        elif self._depth == 2 and letter == ":":
            self._key = self._key or json.loads(f'"{self._word}"')
        elif self._depth == 2 and letter == ",":
            self._key = ""

    def _step_in_text(self, letter: str) -> None:
        if self._escaped:
            self._escaped = False
        elif letter == "\\":
            self._escaped = True
        elif letter == '"':
            self._in_text = False
            if self._depth == 2 and self._key == "name":
                self._name = json.loads(f'"{self._word}"')
            return
        if self._depth == 2:
            self._word += letter
