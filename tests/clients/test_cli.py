"""`bide`, run as a person runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from clients.cli import COMMANDS, overview


def bide(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "clients.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_alone_it_tells_what_there_is(arguments: tuple[str, ...]) -> None:
    done = bide(*arguments)
    assert (done.returncode, done.stdout.strip()) == (0, overview())
    assert all(f"bide {name}" in done.stdout for name in COMMANDS)


def test_an_unknown_command_is_one_line() -> None:
    done = bide("dance")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bide: unknown command 'dance'; there are serve, ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["chat", "bench"])
def test_the_help_of_a_command_is_its_own(name: str) -> None:
    done = bide(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: bide {name} ")


def test_arguments_and_exit_code_pass_through() -> None:
    done = bide("chat", "--url", "http://127.0.0.1:9", "hello")
    assert done.returncode == 1
    assert done.stderr.startswith("bide chat: no answer from http://127.0.0.1:9/v1: ")
    assert done.stderr.endswith("start a server: bide serve --port 9\n")
    assert done.stderr.count("\n") == 1
    assert bide("bench", "--rounds", "none").returncode == 2


def test_the_servers_help_is_the_servers() -> None:
    pytest.importorskip("vllm", exc_type=ImportError)
    done = bide("serve", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: bide serve ")
