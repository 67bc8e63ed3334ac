"""What goes over the wire to a Bide server and comes back, as types. Pure: nothing is sent here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import httpx

Message = Mapping[str, Any]


class BideError(Exception):
    """What went wrong, in the server's words where it had any.

    status: of the HTTP response; None where there was none, or where a stream broke off.
    param: the field of the request at fault, if the server named one.
    """

    def __init__(self, message: str, status: int | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param = status, param


@dataclass(frozen=True, slots=True)
class Injection:
    """Text that the server wrote into the thought. `position` counts completion tokens."""

    position: int
    text: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer so far, asked after `position` thinking tokens; None for none, or one in doubt."""

    position: int
    answer: str | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Thinking:
    """How the thinking went. `end` is natural, budget, certain or disabled."""

    tokens: int
    waits: int
    end: str
    budget_tokens: int | None
    injected: tuple[Injection, ...]
    probes: tuple[Probe, ...] = ()
    control: Mapping[str, Any] | None = None
    """What else controlled it, as asked for, and `attempts_used` of rejection sampling."""


@dataclass(frozen=True, slots=True)
class Vote:
    """How a vote over samples of one question went; `weights` and `counts` are by answer.

    started == finished + aborted; abstained ones are among the finished, filtered ones (stopped as
    hopeless) among the aborted. `tokens` were generated for all of them.
    `stopped_by` is the rule that ended it early, or "all" where every sample was drawn.
    """

    answer: str | None
    counts: Mapping[str, int]
    weights: Mapping[str, float]
    started: int
    finished: int
    aborted: int
    filtered: int
    abstained: int
    tokens: int
    stopped_by: str


@dataclass(frozen=True, slots=True)
class Usage:
    """In tokens; `discarded_tokens` were generated but replaced, and are in no completion.

    reasoning_tokens: None where the server does not tell them apart.
    """

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int | None
    injected_tokens: int
    discarded_tokens: int

    @property
    def generated_tokens(self) -> int:
        """What the engine produced for this answer."""
        return self.completion_tokens - self.injected_tokens + self.discarded_tokens


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every stream. `thinking` is None for a model that has no thinking."""

    thinking: Thinking | None
    usage: Usage
    finish_reason: str
    vote: Vote | None = None


Event = Reasoning | Content | Done


@dataclass(frozen=True, slots=True)
class Reply:
    content: str
    reasoning: str
    thinking: Thinking | None
    usage: Usage
    finish_reason: str
    vote: Vote | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """`max_model_len`: tokens of prompt and completion together; None where it is not told."""

    id: str
    max_model_len: int | None


def request_body(
    messages: Sequence[Message], options: Mapping[str, Any], *, stream: bool = False
) -> dict[str, Any]:
    """Raises ValueError for options that this client, not the caller, decides on."""
    for name in ("n", "stream", "stream_options"):
        if name in options:
            raise ValueError(f"{name}: one answer a call, streamed by `stream` alone")
    body = {"messages": list(messages), **options}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def parse_models(response: httpx.Response) -> list[Model]:
    if not response.is_success:
        raise error_of(response)
    with _well_formed():
        return [Model(model["id"], model.get("max_model_len")) for model in response.json()["data"]]


def parse_reply(response: httpx.Response) -> Reply:
    if not response.is_success:
        raise error_of(response)
    with _well_formed():
        body = response.json()
        choice = body["choices"][0]
        message = choice["message"]
        return Reply(
            content=message.get("content") or "",
            reasoning=message.get("reasoning") or "",
            thinking=_thinking(choice.get("thinking")),
            usage=_usage(body["usage"]),
            finish_reason=choice["finish_reason"],
            vote=_vote(choice.get("vote")),
        )


def authorization(api_key: str | None) -> dict[str, str]:
    """The header that says who asks; none without a key."""
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}


def error_of(response: httpx.Response) -> BideError:
    """From a response that was read; whatever stands between us and the server may have sent it."""
    try:
        error = response.json()["error"]
        return BideError(error["message"], response.status_code, error.get("param"))
    except (ValueError, LookupError, TypeError):
        message = f"{response.status_code} {response.reason_phrase} from {response.url}"
        return BideError(message, response.status_code)


class StreamParser:
    """Server-sent events to typed ones: `feed` it the body's bytes, `finish` when they end.

    Lines end at a line feed alone. httpx's `iter_lines` also ends them at U+2028 and its like,
    which may stand within a text.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._thinking: Thinking | None = None
        self._vote: Vote | None = None
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._done = False

    def feed(self, data: bytes) -> Iterator[Event]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            payload = line.removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or self._done:
                continue
            if payload == b"[DONE]":
                yield self._end()
            else:
                with _well_formed():
                    events = self._read(json.loads(payload))
                yield from events

    def finish(self) -> None:
        if not self._done:
            raise BideError("the stream broke off before the answer's end")

    def _read(self, payload: dict[str, Any]) -> list[Event]:
        if "error" in payload:
            error = payload["error"]
            raise BideError(error["message"], param=error.get("param"))
        if payload.get("usage"):
            self._usage = _usage(payload["usage"])
        events: list[Event] = []
        for choice in payload["choices"]:
            delta = choice["delta"]
            if text := delta.get("reasoning"):
                events.append(Reasoning(text))
            if text := delta.get("content"):
                events.append(Content(text))
            if choice.get("finish_reason"):
                self._finish_reason = choice["finish_reason"]
                self._thinking = _thinking(choice.get("thinking"))
                self._vote = _vote(choice.get("vote"))
        return events

    def _end(self) -> Done:
        self._done = True
        if self._usage is None or self._finish_reason is None:
            raise BideError("the stream ended without a finish reason or a usage")
        return Done(self._thinking, self._usage, self._finish_reason, self._vote)


def _thinking(found: Mapping[str, Any] | None) -> Thinking | None:
    if found is None:
        return None
    injected = tuple(Injection(each["position"], each["text"]) for each in found["injected"])
    probes = tuple(
        Probe(each["position"], each["answer"], each["tokens"]) for each in found.get("probes", ())
    )
    return Thinking(
        found["tokens"],
        found["waits"],
        found["end"],
        found["budget_tokens"],
        injected,
        probes,
        found.get("control"),
    )


def _vote(found: Mapping[str, Any] | None) -> Vote | None:
    if found is None:
        return None
    return Vote(**{field.name: found[field.name] for field in fields(Vote)})


def _usage(found: Mapping[str, Any]) -> Usage:
    details = found.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=found["prompt_tokens"],
        completion_tokens=found["completion_tokens"],
        reasoning_tokens=details.get("reasoning_tokens"),
        injected_tokens=details.get("injected_tokens", 0),
        discarded_tokens=details.get("discarded_tokens", 0),
    )


@contextmanager
def _well_formed() -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BideError("the server's answer is not one of a chat completions API") from error
