"""Connections that take their time, or do nothing: uvicorn has no limits for them of its own."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 1 << 16
"""Bytes. Also of what is neither head nor body: a chunked body's extensions and trailers."""

Part = Literal["head", "body"]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """most: connections at once. head, body: seconds in which all of that part must arrive.
    unread: seconds that a client may leave an answer lying before it reads on.

    They count from its first byte, and for the first of all from the connection's start: a byte
    now and then wins no more time. Between two requests uvicorn's `timeout_keep_alive` counts.
    """

    most: int
    head: float
    body: float
    unread: float


def limited(limits: ConnectionLimits) -> type[HttpToolsProtocol]:
    """uvicorn's HTTP protocol within `limits`. One class a server: they are counted together."""

    class Limited(Connection):
        pass

    Limited.limits, Limited.idle = limits, {}
    return Limited


class Connection(HttpToolsProtocol):
    """A client's connection, with one timer for the part of a request that is arriving."""

    limits: ClassVar[ConnectionLimits]
    idle: ClassVar[dict["Connection", None]]
    """Those from which no whole head has come since their last answer; the longest idle first."""

    _arriving: Part | None = "head"
    _timed: Part | None = None
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _overhead = 0
    """Bytes since there was last a whole head or some body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.most:
            # To make room costs an idle client a new connection. To refuse the newcomer would
            # let whoever opens many keep everybody out.
            longest = next(iter(self.idle), self)
            self.idle.pop(longest, None)
            longest.transport.abort()
        self.idle[self] = None
        self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle.pop(self, None)
        self._arriving = None
        self._time()
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._overhead += len(data)
        super().data_received(data)
        self._time()
        self._keep_alive()
        if self._overhead > LARGEST_HEAD and self._arriving is not None:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stop_timer()
        self._arriving = "head"

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._arriving == "head":  # what comes later are trailers, which nobody reads
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.idle.pop(self, None)
        self._arriving, self._overhead = "body", 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._arriving, self._overhead = None, 0

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():  # the last one's
            self.idle[self] = None

    def pause_writing(self) -> None:
        """Its work waits with it, and holds its place in the engine."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.unread, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_unread()
        super().resume_writing()

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()

    def _time(self) -> None:
        """The timer for what is arriving now. Most requests arrive whole and never have one."""
        if self._arriving == self._timed:
            return
        self._stop_timer()
        if self._arriving is not None:
            self._timed, self._timer = self._arriving, self._start(self._arriving)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timed = self._timer = None

    def _keep_alive(self) -> None:
        """Data stops uvicorn's timer, which it starts again after an answer alone.

        The rest of a body that was answered early would leave the connection without any.
        """
        unwatched = self._arriving is None and self.timeout_keep_alive_task is None
        if unwatched and self in self.idle:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _start(self, part: Part) -> asyncio.TimerHandle:
        seconds = self.limits.head if part == "head" else self.limits.body
        return self.loop.call_later(seconds, self._late, part)

    def _late(self, part: Part) -> None:
        if self.flow.read_paused:  # we are the slow ones
            self._timer = self._start(part)
        else:
            self.transport.abort()
