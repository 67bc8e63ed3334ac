"""Bound calls, said as they come, however the text is cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding.forced_calls import NO_PARAMETERS, CallsReader, NamedReader, schema_of_calls
from decoding.tool_calls import ToolReader, joined
from decoding.types import ToolCall

ARGUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=6), lambda inner: st.lists(inner, max_size=2)
    ),
    max_size=3,
)


def read(reader: ToolReader, text: str, size: int) -> tuple[ToolCall, ...]:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    reads = [*(reader.feed(piece, ()) for piece in pieces), reader.end()]
    assert not any(each.content for each in reads)
    return joined(piece for each in reads for piece in each.tool_calls)


@given(
    calls=st.lists(st.tuples(st.text(max_size=6), ARGUMENTS), min_size=1, max_size=3),
    size=st.integers(1, 30),
    indent=st.sampled_from([None, 2]),
)
def test_an_array_of_calls(calls: list[tuple[str, object]], size: int, indent: int | None) -> None:
    whole = [{"name": name, "parameters": arguments} for name, arguments in calls]
    found = read(CallsReader(), json.dumps(whole, indent=indent), size)
    assert [(call.name, json.loads(call.arguments)) for call in found] == calls


def test_arguments_come_before_they_are_whole() -> None:
    reader = CallsReader()
    reader.feed('[{"name": "f", "parameters": ', ())
    (first,) = reader.feed('{"x": "a]', ()).tool_calls
    (second,) = reader.feed('}"} }', ()).tool_calls
    assert (first.name, first.arguments) == ("f", '{"x": "a]')
    assert (second.id, second.name, second.arguments) == (None, None, '}"}')


def test_a_named_call_is_its_arguments() -> None:
    (call,) = read(NamedReader("f"), '{"x": 1}', 3)
    assert (call.name, call.arguments) == ("f", '{"x": 1}')
    assert call.id.startswith("call_")


def test_a_named_call_of_nothing_is_none() -> None:
    assert read(NamedReader("f"), "", 1) == ()


def test_the_schema_of_calls() -> None:
    point = {"type": "object", "properties": {"p": {"$ref": "#/$defs/P"}}, "$defs": {"P": {}}}
    schema = schema_of_calls({"f": point, "g": NO_PARAMETERS}, parallel=False)
    assert schema["maxItems"] == 1
    assert schema["$defs"] == {"P": {}}
    assert [list(each["properties"]) for each in schema["items"]["anyOf"]] == [
        ["name", "parameters"]
    ] * 2
    assert "$defs" not in schema["items"]["anyOf"][0]["properties"]["parameters"]
    assert "maxItems" not in schema_of_calls({"f": point}, parallel=True)


def test_definitions_that_clash_are_refused() -> None:
    functions = {"f": {"$defs": {"P": {}}}, "g": {"$defs": {"P": {"type": "string"}}}}
    with pytest.raises(ValueError, match=r"\$defs\.P of g"):
        schema_of_calls(functions, parallel=True)
