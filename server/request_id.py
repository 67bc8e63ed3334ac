"""The name of a request, in its response, in its log lines and in its trace."""

import re
import uuid

from starlette.datastructures import Headers

HEADER = "x-request-id"
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
"""Nothing that would break a log line or a header."""


def chosen(headers: Headers) -> str:
    """The client's own, where it is sane; else a new one."""
    asked = headers.get(HEADER, "")
    return asked if SANE.fullmatch(asked) else uuid.uuid4().hex
