"""What a server's admin asks of it, over HTTP: plain calls, and loads that tell their steps."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from clients.wire import BideError, authorization, error_of

DATA, DONE = "data: ", "[DONE]"


class Admin:
    """A server by its URL. Every method raises BideError."""

    def __init__(
        self, url: str, api_key: str | None, transport: httpx.BaseTransport | None = None
    ) -> None:
        # A load waits for requests that run: only connecting has a limit.
        timeout = httpx.Timeout(None, connect=10)
        self._http = httpx.Client(
            base_url=url.rstrip("/").removesuffix("/v1"),
            headers=authorization(api_key),
            timeout=timeout,
            transport=transport,
        )

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise BideError(f"no answer from {self._http.base_url}: {error!r}") from error
        if not response.is_success:
            raise error_of(response)
        found: dict[str, Any] = response.json()
        return found

    def steps(
        self, path: str, body: Mapping[str, Any], told: Callable[[str], None]
    ) -> dict[str, Any]:
        """What it came to. told: of each step, as it begins."""
        try:
            with self._http.stream("POST", path, json={**body, "stream": True}) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                return _last(response, told)
        except httpx.HTTPError as error:
            raise BideError(f"no answer from {self._http.base_url}: {error!r}") from error


def _last(response: httpx.Response, told: Callable[[str], None]) -> dict[str, Any]:
    last: dict[str, Any] | None = None
    for line in response.iter_lines():
        if line == DATA + DONE and last is not None:
            return last
        if not line.startswith(DATA):
            continue
        event = json.loads(line.removeprefix(DATA))
        if "error" in event:
            raise BideError(event["error"]["message"], param=event["error"].get("param"))
        if "state" in event:
            told(event["state"])
        else:
            last = event
    raise BideError("the server stopped telling before it was done")
