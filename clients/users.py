"""Users of a running server: streams, each of which says what weights wrote it.

`bide bench users`: they ask for minutes, while others exchange the weights; every reply must be
whole and of one version.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from clients.load import percentile
from clients.questions import questions
from clients.wire import BideError, authorization, parse_models

STALLED = httpx.Timeout(120, connect=10)
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
SHOWN = 10

OK = 200
DATA, DONE = "data: ", "[DONE]"


@dataclass(frozen=True, slots=True)
class Told:
    """One whole reply. versions: that its chunks name; first, seconds: from the request to its
    first text and to its end."""

    question: str
    versions: frozenset[str]
    text: str
    first: float
    seconds: float


@dataclass(slots=True)
class Crowd:
    """What its users have been told, in the order in which it ended."""

    replies: list[Told] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Broken(Exception):
    """One line on how a stream was no whole answer."""


@asynccontextmanager
async def crowd(
    http: httpx.AsyncClient, model: str, questions: Sequence[str], streams: int
) -> AsyncGenerator[Crowd, None]:
    """So many streams at once, each followed by the next until this is left; who has begun by then
    is answered first."""
    found, over, turns = Crowd(), asyncio.Event(), itertools.cycle(questions)
    failure: Exception | None = None

    async def user() -> None:
        while not over.is_set():
            try:
                found.replies.append(await told(http, model, next(turns)))
            except (Broken, httpx.HTTPError) as error:
                found.failures.append(str(error) or type(error).__name__)
                await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as users:
        for _ in range(streams):
            users.create_task(user())
        try:
            yield found
        except (BideError, httpx.HTTPError) as error:
            failure = error  # raised below: the group would wrap it
        finally:
            over.set()
    if failure is not None:
        raise failure


async def told(http: httpx.AsyncClient, model: str, question: str) -> Told:
    """A greedy answer, streamed. Raises Broken, and httpx.HTTPError."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "stream": True,
    }
    began, first = time.perf_counter(), None
    versions: set[str] = set()
    pieces: list[str] = []
    async with http.stream("POST", "/v1/chat/completions", json=body) as response:
        if response.status_code != OK:
            raise Broken(f"{response.status_code}: {(await response.aread())[:200]!r}")
        versions.add(response.headers.get("x-bide-checkpoint", ""))
        async for chunk in _chunks(response):
            if "error" in chunk:
                raise Broken(f"the stream broke off: {chunk['error'].get('message')}")
            versions.add(chunk.get("system_fingerprint", ""))
            text = _text(chunk)
            if text and first is None:
                first = time.perf_counter() - began
            pieces.append(text)
    seconds = time.perf_counter() - began
    return Told(question, frozenset(versions - {""}), "".join(pieces), first or seconds, seconds)


async def _chunks(response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    async for line in response.aiter_lines():
        if line == DATA + DONE:
            return
        if line.startswith(DATA):
            yield json.loads(line.removeprefix(DATA))
    raise Broken("the stream ended before it was done")


def _text(chunk: dict[str, Any]) -> str:
    """Of thought and answer alike."""
    deltas = [choice["delta"] for choice in chunk.get("choices", ())]
    return "".join(delta.get("reasoning") or delta.get("content") or "" for delta in deltas)


def connected(url: str) -> httpx.AsyncClient:
    """For as many streams as there are, with the key of the environment."""
    headers = authorization(os.environ.get("BIDE_API_KEY"))
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=STALLED, limits=LIMITS)


async def asked(options: argparse.Namespace) -> Crowd:
    """Raises BideError where the server does not answer at the start."""
    url = options.url.rstrip("/")
    async with connected(url) as http:
        try:
            model = parse_models(await http.get("/v1/models"))[0].id
        except httpx.HTTPError as error:
            raise BideError(f"no answer from {url}: {error!r}") from error
        async with crowd(http, model, questions(1000, "users"), options.streams) as found:
            await asyncio.sleep(60 * options.minutes)
    return found


def lines(found: Crowd) -> list[str]:
    versions = {version for each in found.replies for version in each.versions}
    mixed = [each for each in found.replies if len(each.versions) > 1]
    told = [f"failed: {each}" for each in found.failures[:SHOWN]]
    told += [f"mixed: {sorted(each.versions)} {each.question}" for each in mixed[:SHOWN]]
    told.append(
        f"{len(found.replies):,} replies, by {len(versions)} versions; "
        f"{len(found.failures)} failed, {len(mixed)} of more than one version"
    )
    if found.replies:
        first = [each.first for each in found.replies]
        p50, p99 = percentile(first, 0.5), percentile(first, 0.99)
        told.append(f"first text: p50 {p50:.3f} s, p99 {p99:.3f} s, longest {max(first):.3f} s")
    return told


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        found = asyncio.run(asked(options))
    except BideError as error:
        print(f"bide bench users: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\n".join(lines(found)))
    mixed = any(len(each.versions) > 1 for each in found.replies)
    return 1 if found.failures or mixed or not found.replies else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bide bench users",
        description="Streams for minutes, while others exchange a server's weights. The exit "
        "status is 1 where a reply fails, or is of more than one version. Key: BIDE_API_KEY.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--url", required=True, help="of the server, without /v1")
    made.add_argument("--streams", type=int, default=4, help="at once")
    made.add_argument("--minutes", type=float, default=10.0)
    return made
