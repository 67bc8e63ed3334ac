"""Errors about a chat request, in the names of the API that the caller used."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError

from server.errors import InvalidRequest, invalid_body

ANY_MESSAGE = r"messages(?:\[\d+\]|\.\w+)*"
"""A place in a chat's messages, for APIs whose turns have other places."""


@contextmanager
def naming(names: Mapping[str, str]) -> Iterator[None]:
    """Says every InvalidRequest in `names`: from patterns of chat's fields to the caller's.

    A chat request that cannot be made of the caller's is an InvalidRequest too.
    """
    try:
        yield
    except ValidationError as error:
        raise _renamed(invalid_body(error.errors()), names) from error
    except InvalidRequest as error:
        raise _renamed(error, names) from error


def _renamed(error: InvalidRequest, names: Mapping[str, str]) -> InvalidRequest:
    message, param = error.message, error.param or ""
    for pattern, name in names.items():
        whole = re.compile(rf"(?<![\w.]){pattern}(?!\w)")
        message, param = whole.sub(name, message), whole.sub(name, param)
    return InvalidRequest(message, param or None, error.code)
