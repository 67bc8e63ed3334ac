"""vLLM's own parsers behind our protocol; importing them takes vLLM's seconds, but no engine."""

from typing import Any

import pytest

from decoding.tool_calls import Read, joined
from tests.tokenizer import small_tokenizer

pytestmark = pytest.mark.real

TOOLS: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
CALLS = (
    'Look.\n<tool_call>\n{"name": "f", "arguments": {"x": "ü"}}\n</tool_call>'
    '\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'
)
PYTHONIC = '[f(x="ü"), f()]'


def read(name: str, text: str, *, streamed: bool, size: int = 4) -> tuple[str, list[Any]]:
    from server.engine.vllm_tools import parser

    tokenizer = small_tokenizer()
    reader = parser(name)(tokenizer, TOOLS, streamed)
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    reads: list[Read] = [reader.feed(piece, tokenizer.encode(piece)) for piece in pieces]
    reads.append(reader.end())
    calls = joined(piece for each in reads for piece in each.tool_calls)
    assert all(call.id for call in calls)
    return "".join(each.content for each in reads), [(c.name, c.arguments) for c in calls]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("name", "text", "content"), [("hermes", CALLS, "Look."), ("pythonic", PYTHONIC, "")]
)
def test_calls_of_a_format(name: str, text: str, content: str, streamed: bool) -> None:
    said, calls = read(name, text, streamed=streamed)
    assert said.strip() == content
    assert calls == [("f", '{"x": "ü"}'), ("f", "{}")]


def test_a_whole_answer_that_is_no_call_is_content() -> None:
    text = "<tool_call>nonsense</tool_call> yes"
    assert read("hermes", text, streamed=False) == (text, [])


def test_a_format_that_nobody_knows() -> None:
    from server.engine.tools import choose_reader

    with pytest.raises(ValueError, match="--tool-parser: there is no 'magic', only"):
        choose_reader("magic", "", None)
