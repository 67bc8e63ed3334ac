"""A server in a process of its own, as users start it."""

import re
import subprocess
import sys
import time
from collections.abc import Sequence

import httpx
import psutil

PATIENCE = 300
"""Seconds. A start is 20 on an idle machine; this is for a busy one."""


def start(arguments: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "server", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address(process: "subprocess.Popen[str]") -> str:
    """Waits until it serves."""
    assert process.stdout is not None
    found = (re.search(r"served at (\S+)/v1", line) for line in process.stdout)
    url = next((match[1] for match in found if match), None)
    assert url is not None, process.communicate()[1]
    return url


def engine_of(pid: int) -> list[psutil.Process]:
    """The engine core, and the processes that it started."""
    children = psutil.Process(pid).children()
    (core,) = [child for child in children if "EngineCore" in child.name()]
    return [core, *core.children(recursive=True)]


def wait_until_ready(client: httpx.Client) -> float:
    """Seconds. All the while the process itself must answer."""
    began = time.monotonic()
    while (answer := client.get("/ready")).status_code != 200:
        assert answer.json() == {"status": "restarting"}
        assert client.get("/health").status_code == 200
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.1)
    return time.monotonic() - began
