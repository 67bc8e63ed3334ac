"""`python -m server`: serve a checkpoint."""

import asyncio
import errno
import gc
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from pydantic_settings import SettingsError

from server import logs, memory
from server.command_line import settings_from
from server.config import GROUPS, Settings
from server.config_file import written
from server.engine.preflight import CannotStart, check_checkpoint
from server.engine.tools import check_parser
from server.keys import KeysError, read

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

STOPPING = (signal.SIGINT, signal.SIGTERM)

KEEP_ALIVE = 75
"""Seconds. Longer than clients and proxies keep idle connections, so that it is they who close:
a server that closes first resets requests that were just sent."""

OTHER_FILES = 1024
"""Room for open files that are no client's connection: the engine's, the system's."""


def main() -> int:
    try:
        settings = settings_from(sys.argv[1:])
    except SettingsError as error:
        print(f"bide serve: {error}", file=sys.stderr)
        return 2
    if settings.print_config:
        print(written(settings, GROUPS[1:]), end="")
        return 0
    logs.configure(settings.log_level, settings.log_format)
    memory.keep_even()
    try:
        check_tracing(settings)
        check_keys(settings.keys)
        allow_files(settings.max_connections)
        check_tool_parser(settings.tool_parser)
        check_checkpoint(settings.model, settings.max_model_len)
        listening = listen(settings.host, settings.port)
        uvloop.run(serve(settings, listening))
    except (CannotStart, KeysError, SettingsError) as error:
        print(f"bide serve: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except asyncio.CancelledError:
        pass  # told to stop before it served
    return 0


def check_tool_parser(name: str) -> None:
    try:
        check_parser(name)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def check_tracing(settings: Settings) -> None:
    if settings.otlp_endpoint is not None and find_spec("opentelemetry") is None:
        raise CannotStart("--otlp-endpoint: it needs pip install 'bide[otel]'")


def check_keys(path: Path | None) -> None:
    """Raises KeysError for a file that cannot be used, before anything slow."""
    if path is not None:
        read(path)


def allow_files(connections: int) -> None:
    """Raises the limit of open files, which is 1,024 by custom, to what so many need."""
    needed = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise CannotStart(
            f"--max-connections: {connections} need {needed} open files, "
            f"and this system allows {hard}"
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def listen(host: str, port: int) -> socket.socket:
    """Bound before the engine starts, so that a port in use is told within a second."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        of_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        flag = "--host" if of_host else "--port"
        raise CannotStart(f"{flag}: cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


async def serve(settings: Settings, listening: socket.socket) -> None:
    """Until a signal comes. Raises CannotStart; CancelledError for a signal before it serves."""
    # Slow imports, after all that can be told without them.
    from server.app import create_app
    from server.draining import DrainingServer
    from server.serving import fleet, serving
    from server.state import State

    print(f"starting {settings.name} …", flush=True)
    async with AsyncExitStack() as stack:
        with cancelled_by_signals():
            engines = await stack.enter_async_context(fleet(settings))
            state = await stack.enter_async_context(serving(settings, engines))

        @asynccontextmanager
        async def announced() -> AsyncIterator[State]:
            # What starting made, half a million objects, stays: no collection need look at it.
            gc.collect()
            gc.freeze()
            announce(settings, listening)
            yield state

        config = http_config(settings, create_app(settings, announced))
        server = DrainingServer(config, settings.drain_seconds, engines.drain, engines.close)
        await server.serve(sockets=[listening])


def http_config(settings: Settings, app: "FastAPI") -> "uvicorn.Config":
    import uvicorn

    from server.connections import ConnectionLimits, limited

    limits = ConnectionLimits(
        most=settings.max_connections,
        head=settings.header_timeout,
        body=settings.body_timeout,
        unread=settings.unread_timeout,
    )
    return uvicorn.Config(
        app,
        http=limited(limits),
        ws="none",
        log_level="warning",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE,
    )


@contextmanager
def cancelled_by_signals() -> Iterator[None]:
    """A signal to stop cancels the task that is in here; afterwards it does nothing.

    Once the server runs, it sets its own handlers, and obeys.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in STOPPING:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)
            signal.signal(number, lambda *_: None)


def announce(settings: Settings, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    url = f"http://{'localhost' if host in ('0.0.0.0', '127.0.0.1', '::', '::1') else host}:{port}"
    print(
        f"""
{settings.name} is served at {url}/v1

  curl {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{{
    "messages": [{{"role": "user", "content": "How many r in raspberry?"}}],
    "temperature": 0, "thinking": {{"waits": 1}}}}'

  bide chat --url {url}        metrics: {url}/metrics
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
