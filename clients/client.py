"""Talks to a Bide server: chat with thinking, whole or streamed. `Bide`, and `AsyncBide` its twin.

Options of `chat` and `stream` are the fields of the request's body, as the API names them:
`thinking={"waits": 2, "budget_tokens": 512}`, `max_tokens=1024`, `temperature=0`.
"""

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from clients.wire import (
    BideError,
    Content,
    Done,
    Event,
    Injection,
    Message,
    Model,
    Probe,
    Reasoning,
    Reply,
    StreamParser,
    Thinking,
    Usage,
    Vote,
    authorization,
    error_of,
    parse_models,
    parse_reply,
    request_body,
)

__all__ = [
    "AsyncBide",
    "Bide",
    "BideError",
    "Content",
    "Done",
    "Event",
    "Injection",
    "Message",
    "Model",
    "Probe",
    "Reasoning",
    "Reply",
    "Thinking",
    "Usage",
    "Vote",
]

CHAT = "chat/completions"
MODELS = "models"
# A queued request may wait long for its first token: only connecting has a limit.
TIMEOUT = httpx.Timeout(None, connect=10)
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


class Bide:
    """A server by its URL, with or without the `/v1`.

    Every method raises BideError. `transport` stands in for the network.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = base_url(url)
        with _one_error_type(self.url):
            self._http = httpx.Client(
                base_url=self.url,
                headers=authorization(api_key),
                timeout=timeout,
                limits=LIMITS,
                transport=transport,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def models(self) -> list[Model]:
        with _one_error_type(self.url):
            response = self._http.get(MODELS)
        return parse_models(response)

    def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        body = request_body(messages, options)
        with _one_error_type(self.url):
            response = self._http.post(CHAT, json=body)
        return parse_reply(response)

    def stream(self, messages: Sequence[Message], **options: Any) -> Generator[Event, None, None]:
        """Close the generator (`contextlib.closing`) to stop an answer before its end."""
        body = request_body(messages, options, stream=True)
        parser = StreamParser()
        with (
            _one_error_type(self.url),
            self._http.stream("POST", CHAT, json=body) as response,
        ):
            if not response.is_success:
                response.read()
                raise error_of(response)
            for data in response.iter_bytes():
                yield from parser.feed(data)
        parser.finish()


class AsyncBide:
    """As `Bide`. Any number of requests may run at once."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = base_url(url)
        with _one_error_type(self.url):
            self._http = httpx.AsyncClient(
                base_url=self.url,
                headers=authorization(api_key),
                timeout=timeout,
                limits=LIMITS,
                transport=transport,
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def models(self) -> list[Model]:
        with _one_error_type(self.url):
            response = await self._http.get(MODELS)
        return parse_models(response)

    async def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        body = request_body(messages, options)
        with _one_error_type(self.url):
            response = await self._http.post(CHAT, json=body)
        return parse_reply(response)

    async def stream(
        self, messages: Sequence[Message], **options: Any
    ) -> AsyncGenerator[Event, None]:
        """Close the generator (`contextlib.aclosing`) to stop an answer before its end."""
        body = request_body(messages, options, stream=True)
        parser = StreamParser()
        with _one_error_type(self.url):
            async with self._http.stream("POST", CHAT, json=body) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                async for data in response.aiter_bytes():
                    for event in parser.feed(data):
                        yield event
        parser.finish()


def base_url(url: str) -> str:
    """ "localhost:8000", with or without scheme, slash and /v1 -> "http://localhost:8000/v1"."""
    url = url if "://" in url else f"http://{url}"
    return url.rstrip("/").removesuffix("/v1") + "/v1"


@contextmanager
def _one_error_type(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise BideError(f"no answer from {url}: {reason}") from error
