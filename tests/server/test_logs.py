"""Lines of text, and lines of JSON."""

import json
import logging
import sys

from server.logs import FIELDS, Json, Text
from server.record import Record, current


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("server.x", logging.INFO, __file__, 1, message, None, None)
    if fields:
        setattr(made, FIELDS, fields)
    return made


def test_text() -> None:
    assert Text().format(record("request", status=200)) == "INFO server.x: request status=200"
    token = current.set(Record("one"))
    assert Text().format(record("hm")) == "INFO server.x: hm [one]"
    current.reset(token)


def test_json() -> None:
    token = current.set(Record("one"))
    line = Json().format(record("a\nb", status=200))
    current.reset(token)
    found = json.loads(line)
    assert "\n" not in line
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "info",
        "logger": "server.x",
        "message": "a\nb",
        "request_id": "one",
        "status": 200,
    }


def test_json_keeps_a_trace_in_one_line() -> None:
    made = record("broken")
    try:
        raise ValueError("why")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = Json().format(made)
    assert json.loads(line)["exception"].endswith("ValueError: why")
    assert "\n" not in line
