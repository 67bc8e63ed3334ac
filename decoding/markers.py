"""The markers of a model's thinking. They belong to the model, never to the code.

A profile says them as text; `Markers` is a profile in the token ids of one tokenizer.
"""

from dataclasses import dataclass

from decoding.engine import Codec


@dataclass(frozen=True, slots=True)
class Profile:
    """How a family of models writes its thoughts.

    opening: from the start marker to the first thought; closing: what is written after a cut
    thought, from the end marker on; answer_prefix: written after it where the family needs one.
    """

    name: str
    start: str
    end: str
    opening: str
    closing: str
    answer_prefix: str = ""


BIDE = Profile("bide", "<think>", "</think>", "<think>\n", "</think>\n")
THINK = Profile("think", "<think>", "</think>", "<think>\n", "</think>\n\n")
S1 = Profile(
    "s1",
    "<|im_start|>think",
    "<|im_start|>answer",
    "<|im_start|>think\n",
    "<|im_start|>answer\n",
    "Final Answer:",
)
PROFILES = {profile.name: profile for profile in (BIDE, THINK, S1)}
"""`think` serves Qwen3, DeepSeek-R1 and its distillations, OLMo 3 Think, QwQ."""


class MarkerError(ValueError):
    """Markers that a tokenizer cannot write."""


@dataclass(frozen=True, slots=True)
class Markers:
    """A profile in token ids.

    turn_ends: tokens that end the model's turn; inside a thought each is an attempt to end it.
    """

    profile: Profile
    end: tuple[int, ...]
    opening: tuple[int, ...]
    closing: tuple[int, ...]
    line_break: tuple[int, ...]
    turn_ends: frozenset[int]

    @property
    def end_attempts(self) -> tuple[int, ...]:
        return tuple(sorted({self.end[0], *self.turn_ends}))


def resolve(profile: Profile, codec: Codec, turn_ends: frozenset[int]) -> Markers:
    """Raises MarkerError where the tokenizer cannot write a marker and read it back."""
    for text in (profile.opening, profile.closing):
        if codec.decode(codec.encode(text)) != text:
            raise MarkerError(f"the tokenizer cannot write the marker {text!r}")
    return Markers(
        profile,
        end=tuple(codec.encode(profile.end)),
        opening=tuple(codec.encode(profile.opening)),
        closing=tuple(codec.encode(profile.closing)),
        line_break=tuple(codec.encode("\n")),
        turn_ends=turn_ends,
    )


def detect(codec: Codec, chat_template: str) -> Profile | None:
    """The profile of a model, from its tokenizer and chat template; None if it does not think.

    A model thinks if its template speaks of the markers, or if each marker is one token.
    """
    if f"{BIDE.start}\\n{BIDE.end}\\n'" in chat_template and "<|assistant|>" in chat_template:
        return BIDE
    if THINK.end in chat_template or THINK.start in chat_template:
        return THINK
    if all(len(codec.encode(marker)) == 1 for marker in (THINK.start, THINK.end)):
        return THINK
    if S1.start in chat_template:
        return S1
    return None


def custom(start: str, end: str, answer_prefix: str = "") -> Profile:
    """A profile from configuration, in the usual layout of lines."""
    return Profile("custom", start, end, f"{start}\n", f"{end}\n\n", answer_prefix)
