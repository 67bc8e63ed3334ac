"""A served model: its engine, its tokenizer, its markers, and programs over them."""

from collections.abc import Mapping, Sequence
from typing import Any

from decoding.controls import Control, instruction
from decoding.engine import Codec, Engine, Policy
from decoding.markers import PROFILES, Markers, Profile, custom, detect, resolve
from decoding.policies import BudgetError, ThinkingConfig, build
from server.config import Settings
from server.engine.prompt import PromptRenderer, TokenizerCodec, instructed
from server.errors import InvalidRequest


class Model:
    """What routes need of a model, whatever engine runs it."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Any,
        turn_ends: frozenset[int],
        max_model_len: int,
        settings: Settings,
    ) -> None:
        self.name = settings.name
        self.engine = engine
        self.max_model_len = max_model_len
        self.vocabulary = len(tokenizer)
        self.codec: Codec = TokenizerCodec(tokenizer)
        self._turn_ends = turn_ends
        self._max_prompt = settings.max_prompt_tokens
        self._answer_reserve = settings.answer_reserve
        profile = choose_profile(settings, self.codec, getattr(tokenizer, "chat_template", None))
        self.markers: Markers | None = (
            None if profile is None else resolve(profile, self.codec, turn_ends)
        )
        self._renderer = PromptRenderer(tokenizer, self.codec, self.markers)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        thinking: bool,
        template_arguments: Mapping[str, Any],
        control: Control | None = None,
    ) -> list[int]:
        sentence = instruction(control) if control else None
        if sentence is not None:
            messages = instructed(messages, sentence)
        return self._renderer.render(
            messages, thinking=thinking, template_arguments=template_arguments
        )

    def room(self, prompt: Sequence[int]) -> int:
        """Tokens that the context has left for a completion.

        Raises InvalidRequest for none, and for a prompt that is longer than the server takes.
        """
        room = self.max_model_len - len(prompt)
        if room < 1:
            raise InvalidRequest(
                f"messages: {len(prompt)} tokens, and the context is {self.max_model_len}",
                "messages",
            )
        if self._max_prompt is not None and len(prompt) > self._max_prompt:
            raise InvalidRequest(
                f"messages: {len(prompt)} tokens are more than this server's {self._max_prompt}",
                "messages",
            )
        return room

    def policy(
        self, thinking: ThinkingConfig, max_tokens: int, control: Control | None = None
    ) -> Policy:
        """Raises InvalidRequest for a config that this model cannot follow."""
        try:
            return build(
                thinking,
                codec=self.codec,
                markers=self.markers,
                turn_ends=self._turn_ends,
                answer_reserve=self._answer_reserve,
                max_tokens=max_tokens,
                control=control,
            )
        except BudgetError as error:
            field = error.field if error.field == "max_tokens" else f"thinking.{error.field}"
            raise InvalidRequest(f"{field}: {error}", field) from error


def choose_profile(settings: Settings, codec: Codec, template: str | None) -> Profile | None:
    """Configured markers first, then the named profile, then what the tokenizer tells."""
    if settings.think_start and settings.think_end:
        return custom(settings.think_start, settings.think_end)
    if settings.markers == "none":
        return None
    if settings.markers == "auto":
        return detect(codec, template or "")
    return PROFILES[settings.markers]
