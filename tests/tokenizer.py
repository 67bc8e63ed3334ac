"""The small model's tokenizer, built once for all tests: finding its words takes seconds."""

from functools import cache
from typing import Any

from training.tokenizer import build


@cache
def small_tokenizer() -> Any:
    """Whoever adds to it takes a copy."""
    return build()
