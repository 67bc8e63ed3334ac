"""Programs that pass their tests, and programs that try something else."""

import json
from pathlib import Path

import pytest

from training.verifiers import BadLabel
from training.verifiers.code import Code

TESTS = json.dumps(["assert add(1, 2) == 3", "assert add(-1, 1) == 0"])


def block(program: str) -> str:
    return f"Here it is:\n```python\n{program}\n```"


@pytest.mark.parametrize(
    ("program", "share"),
    [
        ("def add(a, b):\n    return a + b", 1),
        ("def add(a, b):\n    return abs(a) + b", 0.5),
        ("def add(a, b):\n    return a - b - 100", 0),
        ("def add(", 0),
        ("raise SystemExit(0)", 0),
        ("print('passed 2')\nimport os\nos._exit(0)", 0),
        ("import sys\nsys.__stdout__.write('passed 2')\nsys.__stdout__.flush()\n1/0", 0),
    ],
)
def test_shares(program: str, share: float) -> None:
    assert Code(strict=False).verify(block(program), TESTS).score == share
    assert Code().verify(block(program), TESTS).score == (share == 1)


def test_the_last_block_counts() -> None:
    right, wrong = block("def add(a, b):\n    return a + b"), block("add = None")
    assert Code().verify(f"{wrong}\n{right}", TESTS).score == 1
    assert Code().verify("no code", TESTS).score == 0


@pytest.mark.parametrize(
    "attempt",
    [
        "open({path!r}, 'w').write('x')",
        "import os\nos.open({path!r}, os.O_CREAT | os.O_WRONLY)\nos.write(3, b'x')",
        "import subprocess\nsubprocess.run(['touch', {path!r}])",
        "import os\nos.system('touch ' + {path!r})",
        "import socket\nsocket.create_connection(('127.0.0.1', 9))",
        "x = bytearray(1 << 31)",
    ],
)
def test_what_it_may_not_do(attempt: str, tmp_path: Path) -> None:
    path = tmp_path / "written"
    program = f"{attempt.format(path=str(path))}\ndef add(a, b):\n    return a + b"
    verdict = Code().verify(block(program), TESTS)
    assert verdict.score == 0
    assert not path.exists() or path.read_bytes() == b""


def test_its_time_is_bounded() -> None:
    verdict = Code(seconds=1).verify(block("while True:\n    pass"), TESTS)
    assert verdict.score == 0


@pytest.mark.parametrize("label", ["{", "[]", "[1]", '"assert True"'])
def test_labels_that_cannot_be_read(label: str) -> None:
    with pytest.raises(BadLabel):
        Code().verify(block("pass"), label)
