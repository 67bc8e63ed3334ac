"""Log lines: text for a terminal, or one JSON object each."""

import json
import logging
import os
import time
import warnings
from typing import Any, Literal

from server.record import current

FIELDS = "fields"
"""In a call's `extra`: what a line has to say beside its message, a JSON object."""


class Text(logging.Formatter):
    """INFO server.access: GET /health 200 seconds=0.001 [request id]"""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        pairs = "".join(f" {key}={value}" for key, value in fields(record).items())
        request = current.get()
        return f"{super().formatMessage(record)}{pairs}{f' [{request.id}]' if request else ''}"


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        request = current.get()
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({"request_id": request.id} if request else {}),
            **fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, FIELDS, {})


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Our own lines from `level` on; of vLLM and torch only errors, unless all is asked for.

    Called before they are imported: both read the environment then, and so do the engine's own
    processes.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(handlers=[handler], force=True)
    logging.getLogger("server").setLevel(level.upper())
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if level != "debug":
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        logging.getLogger("torch").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", category=FutureWarning)
        os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning")
