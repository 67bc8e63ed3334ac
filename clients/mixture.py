"""What a soak asks: every kind of request that the server knows, short ones, drawn by a seed."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from clients.asking import CHAT, COMPLETIONS, MESSAGES, RESPONSES, Asking, asking
from clients.malformed import malformed
from clients.questions import questions

LEAVING = 0.13
"""Of all requests. Some are answered sooner, so that about one in ten is left midway."""

MALFORMED = 0.05
MOST = 320
"""Tokens of a completion."""

Body = dict[str, Any]
Kind = Callable[[random.Random, str], Body]


def mixture(model: str, seed: int) -> Iterator[Asking]:
    """Without end."""
    rng = random.Random(f"{seed}:soak")
    while True:
        if rng.random() < MALFORMED:
            yield malformed(rng, model)
        else:
            asked = drawn(rng, model)
            leaves = rng.random() < LEAVING / (1 - MALFORMED)
            yield replace(asked, patience=_patience(rng, asked)) if leaves else asked


def counted(model: str, seed: int, count: int) -> list[Asking]:
    """Requests whose usage is all that was generated for them: nobody leaves, and nothing votes."""
    rng = random.Random(f"{seed}:counted")
    kinds = [kind for kind in KINDS if kind != "votes"]
    return [drawn(rng, model, kinds[i % len(kinds)]) for i in range(count)]


def drawn(rng: random.Random, model: str, kind: str | None = None) -> Asking:
    name = kind or rng.choice(tuple(KINDS))
    path, body_of = KINDS[name]
    (question,) = questions(1, str(rng.random()))
    body = {
        "model": model,
        "temperature": rng.choice((0, 0.7)),
        "seed": rng.randrange(1 << 31),
        **body_of(rng, question),
    }
    if rng.random() < 0.5:
        body["stream"] = True
        if path in (CHAT, COMPLETIONS):
            body["stream_options"] = {"include_usage": True}
    return asking(name, path, body)


def _patience(rng: random.Random, asked: Asking) -> float:
    """Pieces of a stream, or seconds: less than most answers take, and from none at all on."""
    return rng.randint(0, 30) if asked.stream else rng.uniform(0, 0.25)


def _chat(question: str, **fields: Any) -> Body:
    return {"messages": [{"role": "user", "content": question}], "max_tokens": MOST, **fields}


def _budget(rng: random.Random, question: str) -> Body:
    return _chat(question, thinking={"budget_tokens": rng.randint(0, 128)})


def _waits(rng: random.Random, question: str) -> Body:
    return _chat(question, thinking={"waits": rng.randint(1, 3), "budget_tokens": 192})


def _adaptive(rng: random.Random, question: str) -> Body:
    thinking = {"type": "adaptive", "budget_tokens": 192, "probe_every": rng.choice((16, 64))}
    return _chat(question, thinking=thinking)


def _votes(rng: random.Random, question: str) -> Body:
    return _chat(question, vote={"n": rng.randint(2, 6)}, temperature=0.8)


def _schema(rng: random.Random, question: str) -> Body:
    """One of a few: a client has its schemas, and does not make them up."""
    name = rng.choice(("answer", "result", "count"))
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"}},
        "required": [name],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}
    return _chat(question, response_format=form, thinking={"budget_tokens": 64})


def _tool(rng: random.Random, question: str) -> Body:
    number = {"type": "object", "properties": {"value": {"type": "integer"}}}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": number}}
        for name in ("say", "write")
    ]
    choice = {"type": "function", "function": {"name": rng.choice(("say", "write"))}}
    return _chat(question, tools=tools, tool_choice=choice, thinking={"budget_tokens": 64})


def _completions(rng: random.Random, question: str) -> Body:
    return {"prompt": question, "max_tokens": rng.randint(1, 96)}


def _responses(rng: random.Random, question: str) -> Body:
    effort = rng.choice(("none", "minimal"))
    return {"input": question, "max_output_tokens": MOST, "reasoning": {"effort": effort}}


def _messages(rng: random.Random, question: str) -> Body:
    body = _chat(question)
    if rng.random() < 0.5:
        body["thinking"] = {"type": "enabled", "budget_tokens": 96}
    return body


KINDS: Mapping[str, tuple[str, Kind]] = MappingProxyType(
    {
        "plain": (CHAT, lambda rng, question: _chat(question)),
        "budget": (CHAT, _budget),
        "waits": (CHAT, _waits),
        "adaptive": (CHAT, _adaptive),
        "votes": (CHAT, _votes),
        "schema": (CHAT, _schema),
        "tool": (CHAT, _tool),
        "completions": (COMPLETIONS, _completions),
        "responses": (RESPONSES, _responses),
        "messages": (MESSAGES, _messages),
    }
)
