"""Programs that pass their tests, and programs that try something else."""

import json
from pathlib import Path

import pytest

from training.verifiers import BadLabel
from training.verifiers.code import Code

ENUM = "from enum import IntEnum\nP = IntEnum('P', 'x')"
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
        ("import os\nos.write(1, b'passed 2\\n')\nos._exit(0)", 0),
        ("import os\nfor fd in range(3, 32):\n    os.write(fd, b'2')", 0),
        ("import __main__ as m\nm.passed = 2\nm.tests.clear()", 0),
        ("import sys\nsys.modules['__main__'].passed = 2", 0),
        ("import _posixsubprocess", 0),
        ("import sys\nf = sys._getframe(1)\nf.f_locals['tests'].clear()", 0),
        ("try:\n    1/0\nexcept Exception as e:\n    e.__traceback__.tb_frame.f_back", 0),
        (f"{ENUM}\ndef add(a, b):\n    return P.x * a + b", 1),
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


@pytest.mark.parametrize("busy", ["pass", "os.write(1, b'x' * 65536)"])
def test_its_time_is_bounded(busy: str) -> None:
    program = f"import os\nwhile True:\n    {busy}"
    verdict = Code(seconds=1).verify(block(program), TESTS)
    assert verdict.score == 0


@pytest.mark.parametrize("label", ["{", "[]", "[1]", '"assert True"'])
def test_labels_that_cannot_be_read(label: str) -> None:
    with pytest.raises(BadLabel):
        Code().verify(block("pass"), label)
