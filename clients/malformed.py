"""Requests that a server must refuse, each with the status that says why."""

import json
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from clients.asking import (
    CHAT,
    COMPLETIONS,
    MESSAGES,
    RESPONSES,
    UNKNOWN,
    Asking,
    asking,
)

TOO_LARGE = (8 << 20) + 1
"""Bytes: one more than a server takes by default."""

PAGES = b" " * TOO_LARGE

Body = dict[str, Any]


def malformed(rng: random.Random, model: str, kind: str | None = None) -> Asking:
    name = kind or rng.choice(tuple(KINDS))
    path = rng.choice(tuple(SOUND))
    return KINDS[name](path, {"model": model, **SOUND[path]})


SOUND: Mapping[str, Body] = MappingProxyType(
    {
        CHAT: {"messages": [{"role": "user", "content": "?"}]},
        COMPLETIONS: {"prompt": "?"},
        RESPONSES: {"input": "?"},
        MESSAGES: {"messages": [{"role": "user", "content": "?"}], "max_tokens": 16},
    }
)
"""The least that each route takes."""


def _no_json(path: str, body: Body) -> Asking:
    return Asking("not JSON", path, json.dumps(body).encode()[:-1], status=400)


def _unknown_field(path: str, body: Body) -> Asking:
    return asking("unknown field", path, {**body, "temprature": 1}, status=400)


def _contradiction(path: str, body: Body) -> Asking:
    said = {"thinking_budget": 5, "thinking_token_budget": 6}
    return asking("contradiction", path, {**body, **said}, status=400)


def _wrong_type(path: str, body: Body) -> Asking:
    return asking("wrong type", path, {**body, "temperature": "warm"}, status=400)


def _bad_schema(path: str, body: Body) -> Asking:
    schema = {"name": "x", "schema": {"type": "nonsense"}}
    form = {"type": "json_schema", "json_schema": schema}
    chat = {"model": body["model"], **SOUND[CHAT], "response_format": form}
    return asking("bad schema", CHAT, chat, status=400)


def _unknown_path(path: str, body: Body) -> Asking:
    return asking("unknown path", f"{path}/nothing", body, status=404, route=UNKNOWN)


def _unknown_model(path: str, body: Body) -> Asking:
    return asking("unknown model", path, {**body, "model": "nobody"}, status=404)


def _oversized(path: str, body: Body) -> Asking:
    """Refused by what it says of its length, before it is known what it asks for."""
    return Asking("oversized", path, PAGES, status=413, route=UNKNOWN)


KINDS: Mapping[str, Callable[[str, Body], Asking]] = MappingProxyType(
    {
        "not JSON": _no_json,
        "unknown field": _unknown_field,
        "contradiction": _contradiction,
        "wrong type": _wrong_type,
        "bad schema": _bad_schema,
        "unknown path": _unknown_path,
        "unknown model": _unknown_model,
        "oversized": _oversized,
    }
)
