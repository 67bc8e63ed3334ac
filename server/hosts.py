"""Which names a server answers to, so that no web page can ask it as if it were its own.

A page may let its name lead to this machine once it is loaded (DNS rebinding). To its browser a
server here is then the page's own, and CORS does not apply; but `Host` still has the page's name.
"""

from collections.abc import Set

from starlette.types import ASGIApp, Receive, Scope, Send

from server import errors
from server.config import Settings

THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Hosts:
    """Answers 400 to a request whose `Host`, whatever its port, is none of `names`."""

    def __init__(self, app: ASGIApp, names: Set[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _host(scope) in self._names:
            await self._app(scope, receive, send)
            return
        told = errors.refusal(
            400, "Host: this server does not answer to that name; --allowed-hosts adds names"
        )
        await errors.response(scope, told)(scope, receive, send)


def answered(settings: Settings) -> Set[str] | None:
    """The names that are answered to, in lower case; None for any."""
    protected = settings.keys is not None or settings.allow_anonymous
    if protected and not settings.allowed_hosts:
        return None
    own = (settings.host, *settings.allowed_hosts)
    return THIS_MACHINE | {_bracketed(name.lower()) for name in own}


def _bracketed(name: str) -> str:
    """IPv6 addresses stand in brackets in a URL, and so in `Host`."""
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _host(scope: Scope) -> str:
    """Without its port; empty where there is none, as no browser sends it."""
    host: str = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
    name, separator, port = host.rpartition(":")
    return name if separator and (port.isdecimal() or not port) else host
