"""How a model writes its calls, by its settings and its template."""

import pytest

from decoding.hermes import HermesReader
from server.engine.tools import choose_reader

HERMES = "{% if tools %}<tool_call>{% endif %}"


@pytest.mark.parametrize(
    ("name", "template", "known"),
    [
        ("auto", HERMES, True),
        ("auto", "{{ messages }}", False),
        ("auto", HERMES + "<function=", False),
        ("auto", HERMES + "<arg_key>", False),
        ("hermes", "", True),
        ("qwen3_json", "", True),
        ("none", HERMES, False),
    ],
)
def test_the_reader_of_a_model(name: str, template: str, known: bool) -> None:
    reader_of = choose_reader(name, template, None)
    assert (reader_of is not None) == known
    if reader_of is not None:
        assert isinstance(reader_of([], True), HermesReader)
