"""Who is asking."""

from dataclasses import dataclass

from fastapi import Request


@dataclass(frozen=True, slots=True)
class Caller:
    """A key's owner, or anybody where the server asks for no keys.

    requests_per_minute, concurrency: None for no limit of its own.
    """

    name: str
    admin: bool = False
    requests_per_minute: int | None = None
    concurrency: int | None = None

    @staticmethod
    def of(request: Request) -> "Caller":
        caller = getattr(request.state, "caller", ANYBODY)
        assert isinstance(caller, Caller)
        return caller


ANYBODY = Caller("anybody", admin=True)
"""Who asks where no key is needed: of a server without keys for this machine alone, and of what
is open to all."""

STRANGER = Caller("anybody")
"""Who asks a server that lets everybody in from other machines: no admin."""
