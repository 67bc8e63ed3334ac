"""The thinking is opened or closed whatever the template leaves to the model."""

from collections.abc import Sequence
from typing import Any

import pytest
from jinja2 import Environment

from decoding.markers import BIDE, S1, THINK, Profile
from server.engine.prompt import PromptRenderer
from server.errors import InvalidRequest
from tests.scripted import FakeCodec, family

USER = [{"role": "user", "content": "Hi"}]


class FakeTokenizer:
    """A chat template and nothing else."""

    def __init__(self, template: str) -> None:
        self._template = Environment(keep_trailing_newline=True).from_string(template)

    def apply_chat_template(
        self, messages: Sequence[Any], *, tokenize: bool, **arguments: Any
    ) -> str:
        assert not tokenize
        if messages[0]["role"] == "system":
            raise ValueError("no system message here")
        return self._template.render(messages=messages, **arguments)


TURN = "{{ messages[0].content }}|"
OPENS = TURN + "<think>\n"
LEAVES_IT = TURN
HYBRID = TURN + "{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"


@pytest.mark.parametrize(
    ("profile", "template", "thinking", "prompt"),
    [
        (THINK, OPENS, True, "Hi|<think>\n"),
        (THINK, OPENS, False, "Hi|<think>\n</think>\n\n"),
        (THINK, LEAVES_IT, True, "Hi|<think>\n"),
        (THINK, LEAVES_IT, False, "Hi|<think>\n</think>\n\n"),
        (THINK, HYBRID, True, "Hi|<think>\n"),
        (THINK, HYBRID, False, "Hi|<think>\n\n</think>\n\n"),
        (S1, LEAVES_IT, True, "Hi|<|im_start|>think\n"),
        (BIDE, OPENS, False, "Hi|<think>\n</think>\n"),
    ],
)
def test_prompts_end_in_an_open_thought_or_a_closed_one(
    profile: Profile, template: str, thinking: bool, prompt: str
) -> None:
    model = family(profile, "<|end|>", "<|end|>")
    renderer = PromptRenderer(FakeTokenizer(template), model.codec, model.markers)
    ids = renderer.render(USER, thinking=thinking, template_arguments={})
    assert model.codec.decode(ids) == prompt


def test_a_model_without_markers_is_left_alone() -> None:
    codec = FakeCodec()
    renderer = PromptRenderer(FakeTokenizer(TURN), codec, None)
    ids = renderer.render(USER, thinking=True, template_arguments={})
    assert codec.decode(ids) == "Hi|"


def test_what_the_template_refuses_is_a_400() -> None:
    renderer = PromptRenderer(FakeTokenizer(TURN), FakeCodec(), None)
    system = [{"role": "system", "content": "Be brief"}]
    with pytest.raises(InvalidRequest, match="messages: no system message here"):
        renderer.render(system, thinking=True, template_arguments={})
