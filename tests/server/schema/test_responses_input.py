from typing import Any

import pytest
from pydantic import TypeAdapter

from server.schema.responses_input import AnyItem, as_messages

THOUGHT = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}
SUMMARY = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
ANSWER = {"type": "message", "role": "assistant", "content": "so"}


def call(name: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": name, "name": name, "arguments": "{}"}


def called(name: str) -> dict[str, Any]:
    return {"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        (
            [THOUGHT, ANSWER, call("a"), call("b")],
            [
                {
                    "role": "assistant",
                    "reasoning_content": "hm",
                    "content": "so",
                    "tool_calls": [called("a"), called("b")],
                }
            ],
        ),
        ([SUMMARY], [{"role": "assistant", "reasoning_content": "hm"}]),
        ([ANSWER, ANSWER], [{"role": "assistant", "content": "so"}] * 2),
        (
            [call("a"), THOUGHT],
            [
                {"role": "assistant", "tool_calls": [called("a")]},
                {"role": "assistant", "reasoning_content": "hm"},
            ],
        ),
        (
            [{"type": "function_call_output", "call_id": "a", "output": "1"}, ANSWER],
            [
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "assistant", "content": "so"},
            ],
        ),
    ],
)
def test_items_of_one_turn_are_one_message(
    items: list[dict[str, Any]], messages: list[dict[str, Any]]
) -> None:
    assert as_messages(TypeAdapter(list[AnyItem]).validate_python(items)) == messages
