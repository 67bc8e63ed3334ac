"""What each key may do: so many requests a minute, and so many at once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

from server.caller import Caller
from server.errors import RateLimited, TooManyAtOnce


@dataclass(slots=True)
class Bucket:
    """A minute's requests, of which what is taken comes back at an even rate."""

    size: int
    left: float
    at: float

    def fill(self, now: float) -> None:
        self.left = min(self.size, self.left + (now - self.at) * self.size / 60)
        self.at = now

    def seconds_until(self, left: float) -> float:
        return max(0.0, left - self.left) * 60 / self.size

    def headers(self) -> dict[str, str]:
        """As OpenAI's API says them."""
        return {
            "x-ratelimit-limit-requests": str(self.size),
            "x-ratelimit-remaining-requests": str(int(self.left)),
            "x-ratelimit-reset-requests": f"{round(self.seconds_until(self.size), 3):g}s",
        }


class Limits:
    """A request counts for its key from its arrival, whatever becomes of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._at_once = Counter[str]()

    @contextmanager
    def request(self, caller: Caller) -> Iterator[None]:
        """From a request's arrival to the end of its response.

        Raises TooManyAtOnce, which takes nothing of the minute's requests, or RateLimited.
        """
        if caller.concurrency is not None and self._at_once[caller.name] >= caller.concurrency:
            raise TooManyAtOnce(caller.concurrency)
        if bucket := self._bucket(caller):
            if bucket.left < 1:
                raise RateLimited(bucket.size, ceil(bucket.seconds_until(1)))
            bucket.left -= 1
        self._at_once[caller.name] += 1
        try:
            yield
        finally:
            self._at_once[caller.name] -= 1

    def headers(self, caller: Caller) -> dict[str, str]:
        """What is left of the caller's rate, if it has a limit."""
        bucket = self._bucket(caller)
        return bucket.headers() if bucket else {}

    def _bucket(self, caller: Caller) -> Bucket | None:
        """Filled up to now; a full one for a caller that is new, or whose limit has changed."""
        size, now = caller.requests_per_minute, self._clock()
        if size is None:
            return None
        bucket = self._buckets.get(caller.name)
        if bucket is None or bucket.size != size:
            bucket = self._buckets[caller.name] = Bucket(size, size, now)
        bucket.fill(now)
        return bucket
