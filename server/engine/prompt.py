"""Messages to token ids, by the model's own chat template, with its thinking open or closed."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from decoding.engine import Codec
from decoding.markers import Markers
from server.errors import InvalidRequest


class TokenizerCodec:
    """A Hugging Face tokenizer as `decoding.engine.Codec`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, token_ids: Sequence[int]) -> str:
        return str(
            self._tokenizer.decode(
                list(token_ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )


def instructed(messages: Sequence[Mapping[str, Any]], sentence: str) -> Sequence[Mapping[str, Any]]:
    """With `sentence` on a line of its own after the last user message.

    Raises InvalidRequest where there is no such message.
    """
    last = max((i for i, each in enumerate(messages) if each["role"] == "user"), default=None)
    if last is None:
        raise InvalidRequest(
            "messages: thinking.control is asked for in a user message, and there is none",
            "messages",
        )
    content = messages[last]["content"]
    more = (
        f"{content}\n{sentence}"
        if isinstance(content, str)
        else [*content, {"type": "text", "text": f"\n{sentence}"}]
    )
    asking = {**messages[last], "content": more}
    return [*messages[:last], asking, *messages[last + 1 :]]


def in_parts(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """With every content a list of parts, as the templates of models that see expect it."""
    return [
        {**each, "content": [{"type": "text", "text": each["content"]}]}
        if isinstance(each["content"], str)
        else each
        for each in messages
    ]


class PromptRenderer:
    def __init__(self, tokenizer: Any, codec: Codec, markers: Markers | None) -> None:
        self._tokenizer, self._codec, self._markers = tokenizer, codec, markers

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        thinking: bool,
        template_arguments: Mapping[str, Any],
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = True,
    ) -> list[int]:
        """add_generation_prompt: whether the model's turn is begun.

        Raises InvalidRequest for messages that the template refuses.
        """
        try:
            text = self._tokenizer.apply_chat_template(
                list(messages),
                tools=list(tools) or None,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                enable_thinking=thinking,
                **template_arguments,
            )
        except (TemplateError, ValueError) as error:
            raise InvalidRequest(f"messages: {error}", "messages") from error
        begun = self._with_thinking(str(text), thinking) if add_generation_prompt else str(text)
        return self._codec.encode(begun)

    def _with_thinking(self, text: str, thinking: bool) -> str:
        """Open or close the thinking where the template left that to the model."""
        if self._markers is None:
            return text
        profile = self._markers.profile
        bare = text.rstrip()
        is_open, is_closed = bare.endswith(profile.start), bare.endswith(profile.end)
        if thinking:
            return text if is_open else text + profile.opening
        if is_closed:
            return text
        return text + ("" if is_open else profile.opening) + profile.closing
