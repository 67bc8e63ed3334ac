"""`python -m server` as a user starts it: it serves, it stops, and it says what is wrong."""

import json
import shutil
import signal
import socket
from pathlib import Path

import httpx
import pytest

from server.config import RELEASED
from tests.real.process import address, start

pytestmark = pytest.mark.real


def test_it_serves_and_stops() -> None:
    process = start(["--port", "0", "--kv-cache-gib", "0.25"])
    url = address(process)
    question = {"role": "user", "content": "How many r in raspberry?"}
    body = {"messages": [question], "thinking": {"waits": 1}, "temperature": 0}
    reply = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()
    assert reply["choices"][0]["message"]["content"].startswith("The answer is ")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


def failing(*arguments: str) -> tuple[int, str]:
    process = start(arguments)
    _, errors = process.communicate(timeout=180)
    return process.returncode, errors.strip()


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    assert failing("--model", str(tmp_path)) == (
        1,
        f"bide serve: --model: there is no checkpoint at {tmp_path} (no config.json)",
    )


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert failing("--port", str(port)) == (
            1,
            f"bide serve: --port: cannot listen on 127.0.0.1:{port}: Address already in use",
        )


def test_a_host_that_is_none() -> None:
    status, message = failing("--host", "no.such.host.invalid", "--allow-anonymous")
    assert status == 1
    assert message.startswith("bide serve: --host: cannot listen on no.such.host.invalid:8000: ")
    assert "\n" not in message


def test_a_context_that_is_too_long() -> None:
    assert failing("--max-model-len", "4096") == (
        1,
        "bide serve: --max-model-len: 4096 tokens, and the model is made for 2048",
    )


def test_an_architecture_that_the_engine_does_not_know(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(RELEASED, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["NoSuchLM"]}))
    assert failing("--port", "0", "--model", str(folder)) == (
        1,
        "bide serve: --model: the engine does not know the architecture NoSuchLM",
    )


def test_a_cache_that_the_memory_does_not_hold() -> None:
    status, message = failing("--port", "0", "--kv-cache-gib", "100000")
    assert status == 1
    assert message.startswith("bide serve: --kv-cache-gib: 100000.00 GiB of KV cache and ")
    assert "\n" not in message


def test_a_flag_out_of_range() -> None:
    status, message = failing("--port", "99999")
    assert (status, message) == (
        2,
        "bide serve: --port: Input should be less than or equal to 65535",
    )
