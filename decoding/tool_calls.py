"""Tool calls in an answer: taken out of its text while it is written, and compared."""

import json
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from decoding.engine import Engine, Policy
from decoding.types import Delta, Event, Final, Sampling, ToolCall, ToolCallDelta


@dataclass(frozen=True, slots=True)
class Read:
    """What has come of a piece of text: content for the caller, and pieces of tool calls."""

    content: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()


class ToolReader(Protocol):
    """Reads the tool calls of one answer. What is no tool call is content, and nothing is lost."""

    def feed(self, text: str, token_ids: Sequence[int]) -> Read:
        """The next piece of the answer. What may yet become a call is held back."""
        ...

    def end(self) -> Read:
        """What was held back."""
        ...


@dataclass(frozen=True, slots=True)
class ToolCalling:
    """A policy whose answers may be calls of tools.

    reader: makes the reader of one answer; parallel: whether calls after the first are heard.
    """

    inner: Policy
    reader: Callable[[], ToolReader]
    parallel: bool = True

    async def run(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Event, None]:
        reader, called = self.reader(), False
        async with aclosing(self.inner.run(engine, prompt, sampling)) as events:
            async for event in events:
                if isinstance(event, Delta) and event.phase == "content":
                    read = reader.feed(event.text, event.token_ids)
                    calls = self._heard(read)
                    called = called or bool(calls)
                    yield replace(event, text=read.content, tool_calls=calls)
                elif isinstance(event, Final):
                    read = reader.end()
                    calls = self._heard(read)
                    called = called or bool(calls)
                    if read.content or calls:
                        yield Delta("content", read.content, (), tool_calls=calls)
                    stopped = called and event.finish == "stop"
                    yield replace(event, finish="tool_calls") if stopped else event
                else:
                    yield event

    def _heard(self, read: Read) -> tuple[ToolCallDelta, ...]:
        return tuple(piece for piece in read.tool_calls if self.parallel or piece.index == 0)


def call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def joined(pieces: Iterable[ToolCallDelta]) -> tuple[ToolCall, ...]:
    """The calls that these pieces, in the order they came, make up."""
    calls: dict[int, ToolCall] = {}
    for piece in pieces:
        call = calls.get(piece.index) or ToolCall("", "", "")
        calls[piece.index] = ToolCall(
            piece.id or call.id, piece.name or call.name, call.arguments + piece.arguments
        )
    return tuple(calls[index] for index in sorted(calls))


def as_answer(calls: Sequence[ToolCall]) -> str:
    """Calls as one JSON text, for votes to compare; their ids are no part of it.

    Arguments that are no JSON stand in it as text.
    """
    return json.dumps(
        [{"name": call.name, "arguments": _content(call.arguments)} for call in calls],
        ensure_ascii=False,
    )


def _content(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
