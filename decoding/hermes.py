"""Tool calls as Hermes and Qwen write them: <tool_call>{"name": …, "arguments": …}</tool_call>."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from decoding.tool_calls import Read, call_id
from decoding.types import Grammar, ToolCallDelta

START, END = "<tool_call>", "</tool_call>"


class HermesReader:
    """As a ToolReader. A call comes whole, once its end shows that it is one.

    What stands between the markers and is no call is content, markers included, and so is a call
    that the end of the answer cut off. White space before a call is layout.
    """

    def __init__(self) -> None:
        self._held = ""
        self._calls = 0

    def feed(self, text: str, token_ids: Sequence[int]) -> Read:
        self._held += text
        content, calls = "", list[ToolCallDelta]()
        while START in self._held:
            before, _, after = self._held.partition(START)
            body, end, rest = after.partition(END)
            if not end:
                break
            call = self._call(body)
            if call is None:
                content += f"{before}{START}{body}{END}"
            else:
                content += before.rstrip()
                calls.append(call)
            self._held = rest
        kept = _where_a_call_may_begin(self._held)
        content, self._held = content + self._held[:kept], self._held[kept:]
        return Read(content, tuple(calls))

    def end(self) -> Read:
        held, self._held = self._held, ""
        return Read() if self._calls and not held.strip() else Read(held)

    def _call(self, body: str) -> ToolCallDelta | None:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or found.keys() != {"name", "arguments"}:
            return None
        name, arguments = found["name"], found["arguments"]
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return None
        self._calls += 1
        written = json.dumps(arguments, ensure_ascii=False)
        return ToolCallDelta(self._calls - 1, written, call_id(), name)


def grammar_of_calls(functions: Mapping[str, Mapping[str, Any]]) -> Grammar:
    """Any text, in which whatever begins as a call is one of these.

    functions: name to the schema of the parameters.
    """
    tags = [
        {
            "type": "tag",
            "begin": f'{START}\n{{"name": {json.dumps(name)}, "arguments": ',
            # Without a limit a model may write white space to the end.
            "content": {"type": "json_schema", "json_schema": schema, "max_whitespace_cnt": 1},
            "end": f"}}\n{END}",
        }
        for name, schema in functions.items()
    ]
    form = {"type": "triggered_tags", "triggers": [START], "tags": tags}
    return Grammar("structural_tag", json.dumps({"type": "structural_tag", "format": form}))


def _where_a_call_may_begin(text: str) -> int:
    """The place of a start marker, or of what the next piece may make one, with the space before.

    The length of the text where it has neither.
    """
    place = text.find(START)
    if place < 0:
        longest = min(len(START) - 1, len(text))
        begun = (n for n in range(longest, 0, -1) if text.endswith(START[:n]))
        place = len(text) - next(begun, 0)
    return len(text[:place].rstrip())
