"""`logprobs` of a choice, in the shape of chat completions."""

from collections.abc import Sequence
from typing import Any

from decoding.types import Likely, TokenLogprob


def logprobs_object(logprobs: Sequence[TokenLogprob]) -> dict[str, Any]:
    content = [
        {**_likely(each.drawn), "top_logprobs": [_likely(other) for other in each.top]}
        for each in logprobs
    ]
    return {"content": content, "refusal": None}


def _likely(token: Likely) -> dict[str, Any]:
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.bytes)}
