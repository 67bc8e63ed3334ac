"""Errors about a chat request, in the names of the API that the caller used."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError

from server.errors import InvalidRequest, invalid_body


@contextmanager
def naming(names: Mapping[str, str]) -> Iterator[None]:
    """Says `names`, from chat's fields to the caller's, in every InvalidRequest.

    A chat request that cannot be made of the caller's is an InvalidRequest too. What is wrong
    within a field is told of the caller's field as a whole: its parts have other places there.
    """
    try:
        yield
    except ValidationError as error:
        raise _renamed(invalid_body(error.errors()), names) from error
    except InvalidRequest as error:
        raise _renamed(error, names) from error


def _renamed(error: InvalidRequest, names: Mapping[str, str]) -> InvalidRequest:
    message, param = error.message, error.param
    if param is None or not names:
        return error
    for chat, own in names.items():
        # A whole name, with the path within it, and no part of a longer one.
        whole = re.compile(rf"(?<![\w.]){re.escape(chat)}(?![\w])(?:\[\d+\]|\.\w+)*")
        message, param = whole.sub(own, message), whole.sub(own, param)
    return InvalidRequest(message, param, error.code)
