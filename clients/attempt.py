"""One request sent and what came of it: answered, refused as it must be, left midway, or failed."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import httpx

from clients.asking import CHAT, COMPLETIONS, MESSAGES, RESPONSES, Asking

Fate = Literal["answered", "refused", "left", "failed"]

OK = 200
SENT = "http11.send_request_body.complete"
"""The event of httpcore's trace with which a whole request is on its way."""

ENDS: Mapping[str, tuple[bytes, ...]] = MappingProxyType(
    {
        CHAT: (b"data: [DONE]",),
        COMPLETIONS: (b"data: [DONE]",),
        RESPONSES: (b"event: response.completed", b"event: response.incomplete"),
        MESSAGES: (b"event: message_stop",),
    }
)
"""With what a stream ends that did not break off."""

ANSWERS = ("choices", "output", "content")
"""Where whole replies have theirs."""

PROMPT = re.compile(rb'"(?:prompt|input)_tokens": ?(\d+)')
COMPLETION = re.compile(rb'"(?:completion|output)_tokens": ?(\d+)')


@dataclass(frozen=True, slots=True)
class Outcome:
    """status: None where there was no response. why: it failed. tokens: of prompt and completion,
    as the answer told them."""

    asking: Asking
    request_id: str
    fate: Fate
    status: int | None = None
    why: str = ""
    tokens: tuple[int, int] | None = None


async def attempt(http: httpx.AsyncClient, asked: Asking, request_id: str) -> Outcome:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as patience:

            async def traced(event: str, _: Mapping[str, Any]) -> None:
                if event == SENT and asked.patience is not None and not asked.stream:
                    patience.reschedule(loop.time() + asked.patience)

            response = await _response(http, asked, request_id, traced)
    except TimeoutError:
        return Outcome(asked, request_id, "left")
    except httpx.HTTPError as error:
        why = f"{type(error).__name__} {error}".rstrip()
        return Outcome(asked, request_id, "failed", why=why)
    if response is None:
        return Outcome(asked, request_id, "left")
    return judged(asked, request_id, *response)


async def _response(
    http: httpx.AsyncClient, asked: Asking, request_id: str, trace: Any
) -> tuple[int, str | None, bytes] | None:
    """Status, id and body; None for a stream that was not read to its end."""
    headers = {"content-type": "application/json", "x-request-id": request_id}
    extensions = {"trace": trace}
    pieces: list[bytes] = []
    async with http.stream(
        "POST", asked.path, content=asked.content, headers=headers, extensions=extensions
    ) as response:
        told = response.headers.get("x-request-id")
        if asked.patience == 0 and asked.stream:
            return None
        async for piece in response.aiter_bytes():
            pieces.append(piece)
            if asked.stream and len(pieces) == asked.patience:
                return None
    return response.status_code, told, b"".join(pieces)


def judged(asked: Asking, request_id: str, status: int, told: str | None, body: bytes) -> Outcome:
    """Of a whole response."""
    if status != asked.status:
        why = f"{status} instead of {asked.status}: {_shown(body)}"
    elif told != request_id:
        why = f"its x-request-id is {told}"
    elif status != OK:
        why = "" if _is_refusal(body) else f"no error of the API's shape: {_shown(body)}"
    elif asked.stream:
        ended = any(end in body for end in ENDS[asked.path])
        why = "" if ended else f"the stream broke off: {_shown(body[-300:])}"
    else:
        why = "" if _is_answer(body) else f"no answer: {_shown(body)}"
    if why:
        return Outcome(asked, request_id, "failed", status, why)
    if status != OK:
        return Outcome(asked, request_id, "refused", status)
    return Outcome(asked, request_id, "answered", status, tokens=_tokens(body))


def _tokens(body: bytes) -> tuple[int, int] | None:
    """A stream tells its usage last, if it does so more than once."""
    prompt, completion = PROMPT.findall(body), COMPLETION.findall(body)
    return (int(prompt[-1]), int(completion[-1])) if prompt and completion else None


def _is_answer(body: bytes) -> bool:
    found = _object(body)
    return any(found.get(name) for name in ANSWERS)


def _is_refusal(body: bytes) -> bool:
    error = _object(body).get("error")
    return isinstance(error, dict) and bool(error.get("message")) and bool(error.get("type"))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _shown(body: bytes) -> str:
    return body[:300].decode(errors="replace")
