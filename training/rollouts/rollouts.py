"""Completions of prompts, asked of running servers, with the ids that were drawn.

Each is of one version of the weights, which the server names; one that is not of the version that
is asked for is an error, since a policy that learns from another's tokens learns nothing that it
can be told of (verl#7495, ms-swift#9855).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from clients.wire import BideError, error_of

BUSY = (429, 503)
PATIENCE = 300.0
"""Seconds that a server may be busy, or start its engine anew."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion. drawn: whether the policy chose the token, for each of `completion`.

    ended: whether it ended by itself, and not for its length.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    drawn: tuple[bool, ...]
    text: str
    ended: bool


class WrongVersion(BideError):
    """A server answered with other weights than it was asked for."""


class Rollouts:
    """Asks servers in turn. Raises BideError for what a server refuses."""

    def __init__(
        self,
        urls: Sequence[str],
        options: Mapping[str, Any],
        *,
        at_once: int,
        api_key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """options: of every request, as the API names them; at_once: requests a server."""
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=at_once)
        self._clients = [
            httpx.AsyncClient(
                base_url=url.rstrip("/"),
                headers=headers,
                timeout=httpx.Timeout(None, connect=10),
                limits=limits,
                transport=transport,
            )
            for url in urls
        ]
        self._options = dict(options)
        self._room = asyncio.Semaphore(at_once * len(urls))
        self._turn = 0

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def load(self, name: str, version: str) -> None:
        """On all servers, without dropping anybody's request."""
        wanted = {"name": name, "version": version, "mode": "drain"}
        await asyncio.gather(
            *(self._post(client, "/v1/checkpoints/load", wanted) for client in self._clients)
        )

    async def groups(
        self, questions: Sequence[str], size: int, *, version: str, seed: int, **more: Any
    ) -> list[list[Rollout]]:
        """`size` completions of each question, all of `version`, in order."""
        asking = [
            self._group(question, size, version, {**more, "seed": seed + number})
            for number, question in enumerate(questions)
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in asking]
        return [task.result() for task in tasks]

    async def _group(
        self, question: str, size: int, version: str, more: Mapping[str, Any]
    ) -> list[Rollout]:
        body = {
            **self._options,
            "messages": [{"role": "user", "content": question}],
            "n": size,
            "return_token_ids": True,
            **more,
        }
        async with self._room:
            client = self._next()
            reply = (await self._post(client, "/v1/chat/completions", body)).json()
        if reply["system_fingerprint"] != version:
            served = reply["system_fingerprint"]
            raise WrongVersion(f"{client.base_url} answered with {served}, and not {version}")
        prompt = tuple(reply["prompt_token_ids"])
        return [_rollout(prompt, choice) for choice in reply["choices"]]

    def _next(self) -> httpx.AsyncClient:
        self._turn += 1
        return self._clients[self._turn % len(self._clients)]

    async def _post(
        self, client: httpx.AsyncClient, path: str, body: Mapping[str, Any]
    ) -> httpx.Response:
        """Waits where the server is busy, or its engine has to start anew."""
        waited = 0.0
        while True:
            try:
                response = await client.post(path, json=body)
            except httpx.HTTPError as error:
                raise BideError(f"no answer from {client.base_url}: {error!r}") from error
            if response.is_success:
                return response
            if response.status_code not in BUSY or waited >= PATIENCE:
                raise error_of(response)
            pause = float(response.headers.get("retry-after", 1))
            await asyncio.sleep(pause)
            waited += pause


def _rollout(prompt: tuple[int, ...], choice: Mapping[str, Any]) -> Rollout:
    completion = tuple(choice["token_ids"])
    drawn = [True] * len(completion)
    for injection in (choice["thinking"] or {"injected": []})["injected"]:
        start, end = injection["position"], injection["position"] + injection["tokens"]
        drawn[start:end] = [False] * len(drawn[start:end])
    return Rollout(
        prompt,
        completion,
        tuple(drawn),
        choice["message"]["content"] or "",
        choice["finish_reason"] != "length",
    )
