"""Whose turn it is: callers take turns, so do the requests of one, and each request is in order."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Request = TypeVar("Request", bound=Hashable)
Waiter = TypeVar("Waiter", bound=Hashable)


class Turns(Generic[Request, Waiter]):
    """Whoever has had a turn goes behind all others, so nobody waits for more than one of each."""

    def __init__(self) -> None:
        self._callers = OrderedDict[str, OrderedDict[Request, OrderedDict[Waiter, None]]]()

    def __bool__(self) -> bool:
        return bool(self._callers)

    def add(self, caller: str, request: Request, waiter: Waiter) -> None:
        requests = self._callers.setdefault(caller, OrderedDict())
        requests.setdefault(request, OrderedDict())[waiter] = None

    def take(self) -> Waiter:
        """The next waiter, who waits no longer. Raises StopIteration where nobody waits."""
        caller, requests = next(iter(self._callers.items()))
        request, waiters = next(iter(requests.items()))
        waiter = next(iter(waiters))
        self._callers.move_to_end(caller)
        requests.move_to_end(request)
        self.discard(caller, request, waiter)
        return waiter

    def discard(self, caller: str, request: Request, waiter: Waiter) -> None:
        """Let a waiter go who may have gone already."""
        requests = self._callers.get(caller, OrderedDict())
        waiters = requests.get(request, OrderedDict())
        waiters.pop(waiter, None)
        if not waiters:
            requests.pop(request, None)
        if not requests:
            self._callers.pop(caller, None)
