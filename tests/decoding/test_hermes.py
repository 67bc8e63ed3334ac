"""Calls between markers, however the text is cut; what is no call is content to the letter."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding.hermes import HermesReader, grammar_of_calls
from decoding.tool_calls import Read, joined

WEATHER = '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call>'
TIME = '<tool_call>{"arguments": {}, "name": "time"}</tool_call>'


def read(text: str, size: int) -> tuple[str, list[tuple[str, str]]]:
    """The content and the calls, from pieces of so many letters."""
    reader = HermesReader()
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    reads: list[Read] = [*(reader.feed(piece, ()) for piece in pieces), reader.end()]
    calls = joined(piece for each in reads for piece in each.tool_calls)
    assert len({call.id for call in calls}) == len(calls)
    return "".join(each.content for each in reads), [(c.name, c.arguments) for c in calls]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 500])
def test_calls_are_taken_out_of_the_text(size: int) -> None:
    content, calls = read(f"I look.\n{WEATHER}\n{TIME}\n", size)
    assert content == "I look."
    assert calls == [("weather", '{"city": "Zürich"}'), ("time", "{}")]


@pytest.mark.parametrize(
    "text",
    [
        "no call, 3 < 4 <tool",
        "<tool_call>not JSON</tool_call> after",
        '<tool_call>{"name": "f"}</tool_call>',
        '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "x"}</tool_call>',
        'cut \n<tool_call>{"name": "f", "argum',
        "<tool_call>" + "[" * 100_000 + "</tool_call>",
        " \n",
        "",
    ],
)
@pytest.mark.parametrize("size", [3, 1000])
def test_what_is_no_call_stays_content(text: str, size: int) -> None:
    if len(text) > 1000:
        size = 50_000
    assert read(text, size) == (text, [])


def test_content_is_not_held_back_where_it_can_be_no_call() -> None:
    reader = HermesReader()
    assert reader.feed("Yes, <to", ()).content == "Yes,"
    assert reader.feed("p> it is.", ()).content == " <top> it is."


@given(st.lists(st.sampled_from(["a", " ", "\n", "<", "<tool_call>", "</tool_call>", "{}"])))
def test_nothing_is_lost(parts: list[str]) -> None:
    text = "".join(parts)
    assert read(text, 2) == (text, [])


def test_a_grammar_binds_what_it_reads() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    grammar = grammar_of_calls({"weather": schema})
    form = json.loads(grammar.value)["format"]
    (tag,) = form["tags"]
    assert form["triggers"] == ["<tool_call>"]
    assert tag["content"]["json_schema"] == schema
    read = HermesReader().feed(tag["begin"] + '{"city": "Bern"}' + tag["end"], ())
    (call,) = read.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Bern"})
