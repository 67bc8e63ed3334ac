"""Conversations as the server will show them, with a loss on what the assistant writes alone.

A prompt is rendered by the chat template, as the server renders it; what follows is written as the
model has to write it: its thought, the marker that ends it, the answer, the end of its turn.
"""

from collections import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from decoding.markers import PROFILES, Profile, detect
from decoding.reflection import ReflectionNames
from training.data.documents import IGNORE
from training.data.sources import Row, RowError

ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Sequence:
    """Token ids, and the same where they are learnt, IGNORE elsewhere."""

    ids: list[int]
    labels: list[int]


class Renderer:
    """Of one tokenizer. thoughts: the name of a profile of markers; None for the tokenizer's.
    reflection: whether answers have passages in them, whose markers alone are learnt."""

    def __init__(
        self, tokenizer: Any, thoughts: str | None = None, *, reflection: bool = False
    ) -> None:
        self._tokenizer, self._masks_passages = tokenizer, reflection
        self._end = end_of_turn(tokenizer)
        template = tokenizer.chat_template or ""
        found = detect(_Codec(tokenizer), template)
        self._profile: Profile | None = PROFILES[thoughts] if thoughts else found

    def sequences(self, row: Row) -> Iterator[Sequence]:
        """One of a conversation; one of each turn where the template writes earlier turns in
        another way than they were written, as those do that leave thoughts out.

        Raises RowError.
        """
        messages = messages_of(row)
        so_far: Sequence | None = None
        for at, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            prompt, completion = self._turn(row, messages[:at], message)
            if so_far is not None and prompt[: len(so_far.ids)] != so_far.ids:
                yield so_far
                so_far = None
            before = so_far or Sequence([], [])
            asked = prompt[len(before.ids) :]
            so_far = Sequence(
                prompt + completion,
                [*before.labels, *([IGNORE] * len(asked)), *self._learnt(completion)],
            )
        assert so_far is not None, "a conversation has an assistant"
        yield so_far

    def _learnt(self, completion: list[int]) -> list[int]:
        """Labels: each passage by itself, as what stands between two of them is learnt."""
        if not self._masks_passages:
            return completion
        names = ReflectionNames()
        (start,), (end,) = self._ids(names.paragraph), self._ids(names.end_of_paragraph)
        labels, inside = [], False
        for token in completion:
            inside = inside and token != end
            labels.append(IGNORE if inside else token)
            inside = inside or token == start
        return labels

    def _turn(
        self, row: Row, before: list[dict[str, Any]], message: dict[str, Any]
    ) -> tuple[list[int], list[int]]:
        thought = message.get("reasoning_content") or message.get("reasoning")
        try:
            text = self._tokenizer.apply_chat_template(
                before, tokenize=False, add_generation_prompt=True, enable_thinking=bool(thought)
            )
        except TemplateError as error:
            raise RowError(f"{row.place}: the chat template refuses it: {error}") from error
        said = message["content"]
        if thought:
            said = self._thinking(row, thought.strip("\n"), text) + said
        return self._ids(text), [*self._ids(said), *self._end]

    def _thinking(self, row: Row, thought: str, prompt: str) -> str:
        """From where the prompt ends to where the answer begins."""
        profile = self._profile
        if profile is None:
            message = "this tokenizer has no markers for thoughts: say which with `thoughts`"
            raise RowError(f"{row.place}: {message}")
        opening = "" if prompt.endswith(profile.opening) else profile.opening
        return f"{opening}{thought}\n{profile.closing}"

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))


def end_of_turn(tokenizer: Any) -> list[int]:
    """What the template writes behind the assistant's words: in some families it is not the end of
    a text. The end of a text where it writes nothing."""
    said = "#"
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": said}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    end = text[text.rindex(said) + len(said) :].rstrip()
    return list(tokenizer.encode(end, add_special_tokens=False)) or [int(tokenizer.eos_token_id)]


@dataclass(frozen=True, slots=True)
class _Codec:
    tokenizer: Any

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, token_ids: abc.Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(token_ids)))


def messages_of(row: Row) -> list[dict[str, Any]]:
    """Of `messages`, or of `question`, `thought` and `answer`. Raises RowError."""
    if "messages" not in row.values:
        said = {"role": "assistant", "content": row.text("answer")}
        thought = {"reasoning_content": row.text("thought")} if row.values.get("thought") else {}
        return [{"role": "user", "content": row.text("question")}, {**said, **thought}]
    messages = row.values["messages"]
    if not isinstance(messages, list) or not messages:
        raise RowError(f"{row.place}: messages: should be a list of messages")
    for number, message in enumerate(messages):
        place = f"{row.place}: messages.{number}"
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise RowError(f"{place}.role: should be one of {', '.join(ROLES)}")
        if not isinstance(message.get("content"), str):
            raise RowError(f"{place}.content: should be a text")
        if message.get("tool_calls"):
            raise RowError(f"{place}.tool_calls: calls of tools are not learnt")
    if messages[0]["role"] == "assistant":
        raise RowError(f"{row.place}: messages: should begin with somebody else's")
    if messages[-1]["role"] != "assistant":
        raise RowError(f"{row.place}: messages: should end with the assistant's")
    return messages
