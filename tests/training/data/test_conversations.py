"""Conversations are read as the server shows them, and only what the assistant writes is learnt."""

from typing import Any

import pytest

from tests.tokenizer import small_tokenizer
from training.data.conversations import Renderer, Sequence
from training.data.documents import IGNORE
from training.data.sources import Row, RowError

PLAIN = (
    "{%- for message in messages -%}{{ '<|' ~ message.role ~ '|>\\n' ~ message.content }}"
    "{{ '<|end|>' if message.role == 'assistant' }}{{ '\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}"
)
"""Earlier turns stay as they were written."""


def said(role: str, content: str, **more: str) -> dict[str, str]:
    return {"role": role, "content": content, **more}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return small_tokenizer()


@pytest.fixture
def plain() -> Any:
    made = small_tokenizer()
    before, made.chat_template = made.chat_template, PLAIN
    yield made
    made.chat_template = before


def learnt(tokenizer: Any, sequence: Sequence) -> str:
    return str(tokenizer.decode([label for label in sequence.labels if label != IGNORE]))


def test_a_thought_is_written_between_the_markers(tokenizer: Any) -> None:
    row = Row("x:1", {"question": "1+1?", "thought": "One more than 1.\n", "answer": "2"})
    (found,) = Renderer(tokenizer).sequences(row)
    assert learnt(tokenizer, found) == "One more than 1.\n</think>\n2<|end|>"
    assert tokenizer.decode(found.ids) == (
        "<|user|>\n1+1?\n<|assistant|>\n<think>\nOne more than 1.\n</think>\n2<|end|>"
    )


def test_without_a_thought_the_prompt_asks_for_none(tokenizer: Any) -> None:
    (found,) = Renderer(tokenizer).sequences(Row("x:1", {"question": "1+1?", "answer": "2"}))
    assert tokenizer.decode(found.ids).endswith("<think>\n</think>\n2<|end|>")
    assert learnt(tokenizer, found) == "2<|end|>"


def test_turns_are_one_sequence_where_the_template_keeps_them(plain: Any) -> None:
    messages = [
        said("user", "a"),
        said("assistant", "b"),
        said("user", "c"),
        said("assistant", "d"),
    ]
    (found,) = Renderer(plain).sequences(Row("x:1", {"messages": messages}))
    assert learnt(plain, found) == "b<|end|>d<|end|>"
    assert len(found.ids) == len(found.labels)


def test_turns_are_sequences_each_where_the_template_forgets_thoughts(tokenizer: Any) -> None:
    first = said("assistant", "b", reasoning_content="Hm.")
    messages = [said("user", "a"), first, said("user", "c"), said("assistant", "d")]
    one, other = Renderer(tokenizer).sequences(Row("x:1", {"messages": messages}))
    assert learnt(tokenizer, one) == "Hm.\n</think>\nb<|end|>"
    assert learnt(tokenizer, other) == "d<|end|>"
    assert "Hm." not in tokenizer.decode(other.ids)


def test_markers_of_another_family(plain: Any) -> None:
    row = Row("x:1", {"question": "1+1?", "thought": "Hm.", "answer": "2"})
    (found,) = Renderer(plain, "s1").sequences(row)
    assert learnt(plain, found) == "<|im_start|>think\nHm.\n<|im_start|>answer\n2<|end|>"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"question": "a"}, "x:1: answer: should be a text"),
        ({"messages": []}, "x:1: messages: should be a list"),
        ({"messages": [said("user", "a")]}, "x:1: messages: should end with the assistant's"),
        ({"messages": [{"role": "bot"}]}, r"x:1: messages\.0\.role: should be one of system, "),
        ({"messages": [{"role": "user"}]}, r"x:1: messages\.0\.content: should be a text"),
    ],
)
def test_bad_rows_are_named(tokenizer: Any, values: dict[str, Any], says: str) -> None:
    with pytest.raises(RowError, match=says):
        list(Renderer(tokenizer).sequences(Row("x:1", values)))
