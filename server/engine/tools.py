"""How a model writes its tool calls, and what reads them."""

from collections.abc import Callable, Sequence
from typing import Any

from decoding.hermes import START, HermesReader
from decoding.tool_calls import ToolReader

HERMES = ("hermes", "qwen3_json")
"""vLLM's names for the format that is read here; all others are read by vLLM's own parsers."""

OTHERS_IN_ITS_MARKERS = ("<function=", "<arg_key>")
"""What stands between the same markers in other formats: Qwen3-Coder's, GLM's."""

ReaderOf = Callable[[Sequence[dict[str, Any]], bool], ToolReader]
"""From tools in OpenAI's shape, and whether the answer comes in small pieces, to the reader of one
answer."""


def choose_reader(name: str, template: str, tokenizer: Any) -> ReaderOf | None:
    """By the name of the settings; `auto` goes by the template. None where the format is not known.

    Raises ValueError for a name that is none of vLLM's.
    """
    if is_hermes(name, template):
        return lambda tools, streamed: HermesReader()
    if name in ("none", "auto"):
        return None
    from server.engine.vllm_tools import parser

    chosen = parser(name)
    return lambda tools, streamed: chosen(tokenizer, tools, streamed)


def check_parser(name: str) -> None:
    """Raises ValueError for a name that is none of vLLM's, whose import takes seconds."""
    if name not in ("none", "auto", *HERMES):
        from server.engine.vllm_tools import parser

        parser(name)


def is_hermes(name: str, template: str) -> bool:
    """Whether calls are written in the format that is read, and can be bound, here."""
    if name != "auto":
        return name in HERMES
    return START in template and not any(mark in template for mark in OTHERS_IN_ITS_MARKERS)
