"""One request of a soak: what is asked, and what must come of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Asking:
    """status: that the response must have. route: as the server's metrics name it.

    patience: of a client that leaves midway: how many pieces of a stream it reads, or for how
    many seconds it waits for a whole reply; None for one that stays.
    """

    kind: str
    path: str
    content: bytes
    stream: bool = False
    status: int = 200
    route: str = ""
    patience: float | None = None

    def __post_init__(self) -> None:
        if not self.route:
            object.__setattr__(self, "route", self.path)


def asking(kind: str, path: str, body: Mapping[str, Any], **expected: Any) -> Asking:
    return Asking(kind, path, json.dumps(body).encode(), bool(body.get("stream")), **expected)
