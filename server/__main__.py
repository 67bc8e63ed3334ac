"""`python -m server`: serve a checkpoint."""

import gc
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import uvloop
from pydantic_settings import SettingsError

from server import logs
from server.command_line import settings_from
from server.config import GROUPS, Settings
from server.config_file import written
from server.keys import KeysError, read

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
    try:
        check_model(settings.model)
        check_tracing(settings)
        check_keys(settings.keys)
        allow_files(settings.max_connections)
        listening = listen(settings.host, settings.port)
    except (OSError, KeysError) as error:
        print(f"bide serve: {error}", file=sys.stderr)
        return 1
    return uvloop.run(serve(settings, listening))


def check_model(model: str) -> None:
    """A path that is not there is told at once; a name with one slash may be a hub's."""
    path = Path(model)
    looks_local = path.is_absolute() or model.startswith(".") or model.count("/") != 1
    if looks_local and not (path / "config.json").is_file():
        raise FileNotFoundError(f"--model: there is no checkpoint at {model} (no config.json)")


def check_tracing(settings: Settings) -> None:
    if settings.otlp_endpoint is not None and find_spec("opentelemetry") is None:
        raise FileNotFoundError("--otlp-endpoint: it needs pip install 'bide[otel]'")


def check_keys(path: Path | None) -> None:
    """Raises KeysError for a file that cannot be used, before anything slow."""
    if path is not None:
        read(path)


def allow_files(connections: int) -> None:
    """Raises the limit of open files, which is 1,024 by custom, to what so many need."""
    needed = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise OSError(
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
        raise OSError(f"--port: cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


async def serve(settings: Settings, listening: socket.socket) -> int:
    # Slow imports, after all that can be told without them.
    import uvicorn

    from server.app import create_app
    from server.connections import ConnectionLimits, limited
    from server.serving import serving
    from server.state import State

    @asynccontextmanager
    async def announced() -> AsyncIterator[State]:
        async with serving(settings) as state:
            # What starting made, half a million objects, stays: no collection need look at it.
            gc.collect()
            gc.freeze()
            announce(settings, listening)
            yield state

    print(f"starting {settings.name} …", flush=True)
    config = uvicorn.Config(
        create_app(settings, announced),
        http=limited(
            ConnectionLimits(
                most=settings.max_connections,
                head=settings.header_timeout,
                body=settings.body_timeout,
                unread=settings.unread_timeout,
            )
        ),
        ws="none",
        log_level="warning",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=KEEP_ALIVE,
    )
    # Once stopped, uvicorn raises the signal that stopped it again. By then it is obeyed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    await uvicorn.Server(config).serve(sockets=[listening])
    return 0


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
