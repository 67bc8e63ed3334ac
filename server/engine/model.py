"""A served model: its engine, its tokenizer, its markers, and programs over them."""

import copy
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from decoding import reflection
from decoding.controls import Control, instruction
from decoding.engine import Codec, Engine, Policy
from decoding.hermes import grammar_of_calls
from decoding.markers import PROFILES, Markers, Profile, custom, detect, resolve
from decoding.policies import (
    BudgetError,
    ThinkingConfig,
    build,
    plain,
)
from decoding.tool_calls import ToolReader
from decoding.types import Grammar
from server.config import NO_CAP, Settings
from server.engine.adapters import Adapter
from server.engine.images import Image
from server.engine.prompt import PromptRenderer, TokenizerCodec, in_parts, instructed
from server.engine.served import ServedEngine
from server.engine.tools import choose_reader, is_hermes
from server.engine.weights import Weights, Witness
from server.errors import InvalidRequest
from server.uses import Uses

log = logging.getLogger(__name__)


class Model:
    """What routes need of a model, whatever engine runs it.

    settings: the server's, as far as they can be this model's. uses: by requests, of this model
    and of what it stands on.
    """

    def __init__(
        self,
        engine: ServedEngine,
        tokenizer: Any,
        turn_ends: frozenset[int],
        max_model_len: int,
        settings: Settings,
    ) -> None:
        self.name = settings.name
        self.engine: ServedEngine = engine
        self.max_model_len = max_model_len
        self.vocabulary = len(tokenizer)
        self.codec: Codec = TokenizerCodec(tokenizer)
        self._tokenizer = tokenizer
        self.turn_ends = turn_ends
        self._max_prompt = settings.max_prompt_tokens
        self._max_images = settings.max_images
        self._answer_reserve = settings.answer_reserve
        self._template = _template_of(tokenizer)
        profile = choose_profile(settings, self.codec, self._template)
        self._binds_calls = is_hermes(settings.tool_parser, self._template)
        self._reader_of_calls = choose_reader(settings.tool_parser, self._template, tokenizer)
        self.markers: Markers | None = (
            None if profile is None else resolve(profile, self.codec, turn_ends)
        )
        self.reflection = reflection.resolve(self.codec)
        self._renderer = PromptRenderer(tokenizer, self.codec, self.markers)
        self.settings = settings if self.markers else unbounded(settings)
        self.weights = Weights(self.name)
        self.adapter: Adapter | None = None
        self.uses: tuple[Uses, ...] = (Uses(),)

    def adapted(self, adapter: Adapter) -> "Model":
        """The same model with an adapter, under a name of its own."""
        twin = copy.copy(self)
        twin.name = f"{self.name}:{adapter}"
        twin.engine, twin.adapter = self.engine.adapted(adapter), adapter
        twin.uses = (*self.uses, Uses())
        return twin

    @property
    def checkpoint(self) -> str:
        """Names the weights that it has now; its own name where no registry knows them."""
        return self._with_adapter(self.weights.name)

    def witness(self) -> Witness:
        told = self.weights.witness()
        return lambda: self._with_adapter(told())

    def _with_adapter(self, weights: str) -> str:
        return weights if self.adapter is None else f"{weights}:{self.adapter}"

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        thinking: bool,
        template_arguments: Mapping[str, Any],
        control: Control | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = True,
    ) -> list[int]:
        """Raises InvalidRequest for what the template refuses, or would pass over."""
        self._refuse_unwritten_calls(messages)
        sentence = instruction(control) if control else None
        if sentence is not None:
            messages = instructed(messages, sentence)
        if self.engine.sees:
            messages = in_parts(messages)
        return self._renderer.render(
            messages,
            thinking=thinking,
            template_arguments=template_arguments,
            tools=tools,
            add_generation_prompt=add_generation_prompt,
        )

    async def shown(
        self, prompt: Sequence[int], images: Sequence[Image]
    ) -> tuple[list[int], Engine]:
        """The prompt with its images in their places, and what continues it.

        Raises InvalidRequest for a model that sees none, and for images that cannot be read.
        """
        if not images:
            return list(prompt), self.engine
        if not self.engine.sees:
            field = images[0].field.partition(".image_url")[0]
            raise InvalidRequest(f"{field}: this model reads no images", field)
        if len(images) > self._max_images:
            field = images[self._max_images].field
            message = f"{field}: {len(images)} images are more than this server's"
            raise InvalidRequest(f"{message} {self._max_images}", field)
        return await self.engine.seeing(prompt, images)

    def encode(self, text: str, *, special_tokens: bool) -> list[int]:
        """special_tokens: whether to add those that the tokenizer begins or ends a text with."""
        return list(self._tokenizer.encode(text, add_special_tokens=special_tokens))

    def token_strings(self, token_ids: Sequence[int]) -> list[str]:
        """As the tokenizer's vocabulary spells them."""
        return list(self._tokenizer.convert_ids_to_tokens(list(token_ids)))

    def check_tokens(self, token_ids: Sequence[int], field: str) -> None:
        """Raises InvalidRequest for ids that are not in the vocabulary."""
        for token in token_ids:
            if not 0 <= token < self.vocabulary:
                message = f"{field}: there is no token {token}, only 0 to {self.vocabulary - 1}"
                raise InvalidRequest(message, field)

    def thinks_in(self, prompt: Sequence[int]) -> bool:
        """Whether the prompt has opened a thought, and ends there."""
        if self.markers is None:
            return False
        return self.codec.decode(prompt).rstrip().endswith(self.markers.profile.start)

    def check_grammar(self, grammar: Grammar, field: str) -> None:
        """Raises InvalidRequest, which names `field`, for what could not bind an answer."""
        try:
            self.engine.check_grammar(grammar)
        except ValueError as error:
            raise InvalidRequest(f"{field}: {error}", field) from error

    def reader_of_calls(
        self, tools: Sequence[dict[str, Any]], *, streamed: bool
    ) -> Callable[[], ToolReader]:
        """Makes readers of the calls that this model writes by itself.

        Raises InvalidRequest where it knows no tools, or nobody knows how it writes calls.
        """
        if "tools" not in self._template:
            raise InvalidRequest("tools: this model's template has no tools", "tools")
        reader_of = self._reader_of_calls
        if reader_of is None:
            message = "it is not known how this model writes calls: the server's --tool-parser says"
            raise InvalidRequest(f"tools: {message}", "tools")
        return lambda: reader_of(tools, streamed)

    def grammar_of_calls(
        self, functions: Mapping[str, Mapping[str, Any]], strict: Mapping[str, str]
    ) -> Grammar:
        """Binds the arguments of calls that this model may write by itself.

        strict: the fields that ask for it, each with the function's name before it. Raises
        InvalidRequest, which names one of them, for what could not be bound.
        """
        for name, field in strict.items():
            if not self._binds_calls:
                message = "this model's calls are bound where tool_choice is required or names one"
                raise InvalidRequest(f"{field}: {message}", field)
            self.check_grammar(Grammar("json", json.dumps(functions[name])), field)
        return grammar_of_calls(functions)

    def _refuse_unwritten_calls(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for i, message in enumerate(messages):
            if message.get("tool_calls") and "tool_calls" not in self._template:
                field = f"messages[{i}].tool_calls"
                raise InvalidRequest(f"{field}: this model's template has no tools", field)

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

    def continuation(self, *, scores: bool) -> Policy:
        """Of a raw prompt, about whose thinking nothing is to be done."""
        return plain(self.turn_ends, scores=scores)

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Tokens that are more than text to this model."""
        added = [token for text, token in self._tokenizer.get_added_vocab().items() if _says(text)]
        found = frozenset((*added, *self._tokenizer.all_special_ids, *self.turn_ends))
        return found if self.reflection is None else found | self.reflection.ids

    @cached_property
    def controls(self) -> tuple[str, ...]:
        """Texts that are more than text to this model."""
        found = {*self._tokenizer.get_added_vocab(), *self._tokenizer.all_special_tokens}
        if self.markers is not None:
            found |= {self.markers.profile.start, self.markers.profile.end}
        return tuple(sorted(each for each in found if len(each) > 1 and _says(each)))

    def policy(
        self, thinking: ThinkingConfig, max_tokens: int, control: Control | None = None
    ) -> Policy:
        """Raises InvalidRequest for a config that this model cannot follow."""
        try:
            return build(
                thinking,
                codec=self.codec,
                markers=self.markers,
                turn_ends=self.turn_ends,
                answer_reserve=self._answer_reserve,
                max_tokens=max_tokens,
                control=control,
            )
        except BudgetError as error:
            field = error.field if error.field == "max_tokens" else f"thinking.{error.field}"
            raise InvalidRequest(f"{field}: {error}", field) from error


def _template_of(tokenizer: Any) -> str:
    """The chat template; all of them as one text where a tokenizer has several by name."""
    template = getattr(tokenizer, "chat_template", None) or ""
    return template if isinstance(template, str) else "\n".join(template.values())


def choose_profile(settings: Settings, codec: Codec, template: str) -> Profile | None:
    """Configured markers first, then the named profile, then what the tokenizer tells."""
    if settings.think_start and settings.think_end:
        return custom(settings.think_start, settings.think_end)
    if settings.markers == "none":
        return None
    if settings.markers == "auto":
        return detect(codec, template)
    return PROFILES[settings.markers]


def unbounded(settings: Settings) -> Settings:
    """For a model without thoughts to bound: else every request would ask it for a bounded one."""
    bounds = {"thinking_budget": NO_CAP, "thinking_ceiling": NO_CAP}
    for name in bounds:
        if getattr(settings, name) != NO_CAP:
            flag = name.replace("_", "-")
            log.warning("--%s changes nothing: this model has no thinking markers", flag)
    return settings.model_copy(update=bounds)


def _says(added: str) -> bool:
    """Some tokenizers add runs of white space to their words, which are no controls."""
    return bool(added.replace("▁", "").strip())
