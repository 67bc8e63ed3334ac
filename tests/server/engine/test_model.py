"""What a model is asked that its template cannot say."""

from typing import Any

import pytest

from server.config import Settings
from server.engine.model import Model
from server.errors import InvalidRequest
from tests.server.serving import saying, small_family
from tests.tokenizer import small_tokenizer

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}
ROLES_ALONE = "{% for message in messages %}{{ message.role ~ message.content }}{% endfor %}"


class Templated:
    """The small model's tokenizer, with templates of its own."""

    def __init__(self, template: str | dict[str, str]) -> None:
        self.chat_template = template

    def __len__(self) -> int:
        return len(small_tokenizer())

    def __getattr__(self, name: str) -> Any:
        return getattr(small_tokenizer(), name)


def model(template: str | dict[str, str]) -> Model:
    tokenizer = Templated(template)
    return Model(saying(), tokenizer, small_family().turn_ends, 2048, Settings(served_name="m"))


def test_tools_that_a_template_would_pass_over_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="tools: this model's template has no tools"):
        model(ROLES_ALONE).reader_of_calls([], streamed=True)


def test_calls_that_a_template_would_pass_over_are_refused() -> None:
    turns = [{"role": "assistant", "content": "", "tool_calls": [CALL]}]
    with pytest.raises(InvalidRequest, match=r"messages\[0\].tool_calls: .* no tools"):
        model(ROLES_ALONE).render(turns, thinking=True, template_arguments={})


def test_a_tokenizer_with_several_templates() -> None:
    several = {"default": ROLES_ALONE, "tool_use": "{{ tools }}<tool_call>"}
    assert model(several).reader_of_calls([], streamed=False)() is not None
