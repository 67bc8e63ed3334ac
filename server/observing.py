"""What every request gets, whatever its route: an id, a count, a time, a log line, a span."""

import logging
from contextlib import nullcontext

from starlette.types import ASGIApp, Receive, Scope, Send

from server.exchange import Exchange
from server.logs import FIELDS
from server.record import current
from server.state import State

logger = logging.getLogger("server.access")

POLLED = frozenset(["/health", "/ready", "/metrics"])
"""Asked every few seconds: their lines are for `debug`."""


class Observing:
    """Middleware; the outermost, so that what others refuse is seen too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: State = scope["app"].state.bide
        exchange = Exchange(scope, send)
        # Never reset: a server's task is one request, and logs the trace of an error after us.
        current.set(exchange.record)
        span = state.tracing.request(exchange) if state.tracing else nullcontext()
        try:
            with span, state.metrics.in_flight.track_inprogress():
                await self._observed(exchange, receive)
        finally:
            _tell(state, exchange)

    async def _observed(self, exchange: Exchange, receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except BaseException:
            exchange.failed = True
            raise


def _tell(state: State, exchange: Exchange) -> None:
    seconds, route, metrics = exchange.seconds, exchange.route, state.metrics
    metrics.requests.labels(route, exchange.method, exchange.status).inc()
    metrics.request_seconds.labels(route).observe(seconds)
    if exchange.abandoned:
        metrics.abandoned.labels(route).inc()
    level = logging.DEBUG if route in POLLED else logging.INFO
    if not logger.isEnabledFor(level):
        return
    caller = exchange.scope["state"].get("caller")
    fields = {
        "method": exchange.method,
        "route": route,
        "status": exchange.status,
        "seconds": round(seconds, 4),
        **({"caller": caller.name} if caller else {}),
        **exchange.record.summary(),
        **({"client_left": True} if exchange.abandoned else {}),
    }
    logger.log(level, "request", extra={FIELDS: fields})
