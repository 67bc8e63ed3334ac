"""The engine's process is killed: what ran gets its error, and the server serves again."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import psutil
import pytest

from tests.real.process import address, engine_of, start, wait_until_ready

pytestmark = pytest.mark.real

QUESTION = {"messages": [{"role": "user", "content": "How many r in raspberry?"}], "temperature": 0}
LONG = QUESTION | {"thinking": {"min_tokens": 1900}}


@contextmanager
def running() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    process = start(["--port", "0", "--kv-cache-gib", "0.25", "--threads", "1"])
    try:
        yield process, address(process)
    finally:
        process.kill()


def last_event(lines: Iterator[str]) -> Any:
    *_, last = (line for line in lines if line)
    return json.loads(last.removeprefix("data: "))


def test_a_killed_engine_comes_back_and_a_signal_lets_requests_end() -> None:
    with running() as (process, url), httpx.Client(base_url=url, timeout=60) as client:
        engine = engine_of(process.pid)
        with ExitStack() as stack:
            body = LONG | {"stream": True}
            streams = [
                stack.enter_context(client.stream("POST", "/v1/chat/completions", json=body))
                for _ in range(3)
            ]
            engine[0].kill()
            for stream in streams:
                error = last_event(stream.iter_lines())["error"]
                assert error["code"] == "engine_unavailable"
        refused = client.post("/v1/chat/completions", json=QUESTION)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0

        seconds = wait_until_ready(client)
        print(f"ready again after {seconds:.1f} s")
        reply = client.post("/v1/chat/completions", json=QUESTION).json()
        assert reply["choices"][0]["message"]["content"] == "The answer is 3."
        assert psutil.wait_procs(engine, timeout=10)[1] == []

        body = LONG | {"max_tokens": 1000, "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=body) as last:
            process.send_signal(signal.SIGTERM)
            assert list(last.iter_lines())[-2] == "data: [DONE]"
        began = time.monotonic()
        errors = process.communicate(timeout=120)[1]
        print(f"ended after {time.monotonic() - began:.1f} s")
    assert process.returncode == 0
    assert "leaked" not in errors
    assert "Traceback" not in errors
