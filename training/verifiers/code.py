"""Programs: the code of a text passes its unit tests, in a process that may do next to nothing.

The process has no network (a network namespace of its own, where the system gives one), writes no
file, starts no process, and has bounded time and memory. Python alone cannot hold code that means
harm: whoever trains on strangers' programs should put the trainer into a container as well.
"""

import json
import re
import resource
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache

from training.verifiers.verifier import BadLabel, Verdict

BLOCK = re.compile(r"```(?:python|py)?[^\S\n]*\n(.*?)```", re.DOTALL)
SECONDS = 5
MEMORY = 512 << 20

RUNNER = """
import json, os, sys
FORBIDDEN = ("socket.", "subprocess.", "ctypes.", "shutil.", "gc.", "os.exec", "os.fork", "os.kill",
             "os.posix_spawn", "os.system", "os.spawn", "os.remove", "os.rename", "os.rmdir",
             "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_back")
def audit(event, arguments):
    if event.startswith(FORBIDDEN) or event == "open" and (arguments[2] or 0) & WRITING:
        raise PermissionError(event)
    if event == "import" and arguments[0] == "_posixsubprocess":
        raise ImportError(event)
    if event.startswith(("sys._getframe", "sys._current")):
        raise ValueError(event)  # which the standard library knows to bear
    if event == "object.__getattr__" and arguments[1] in FRAMES:
        raise AttributeError(arguments[1])
def run(secret, program, tests):
    # The program cannot know the secret, nor where it is told: both are in this frame alone.
    told, silent = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1), os.dup2(silent, 2)
    write, leave, here = os.write, os._exit, sys.modules["__main__"]
    sys.modules["__main__"] = type(sys)("__main__")
    sys.addaudithook(audit)
    scope, passed = {"__name__": "program"}, 0
    try:
        exec(compile(program, "program", "exec"), scope)
        for test in tests:
            try:
                exec(compile(test, "test", "exec"), dict(scope))
                passed += 1
            except Exception:
                pass
    except BaseException:
        pass
    write(told, f"{secret} {passed}\\n".encode())
    leave(0)
run(*json.load(sys.stdin))
"""


class Code:
    """A label is a JSON list of tests: each a piece of Python that raises where it fails.

    The score is the share of them that pass; strict: all or nothing.
    """

    def __init__(self, *, strict: bool = True, seconds: float = SECONDS) -> None:
        self._strict, self._seconds = strict, seconds

    def verify(self, completion: str, label: str) -> Verdict:
        tests = _tests(label)
        blocks = BLOCK.findall(completion)
        if not blocks:
            return Verdict(0.0, "there is no block of code")
        passed, reason = passing(blocks[-1], tests, self._seconds)
        share = passed / len(tests)
        score = float(share == 1) if self._strict else share
        return Verdict(score, reason or f"{passed} of {len(tests)} tests pass")


def passing(program: str, tests: list[str], seconds: float) -> tuple[int, str]:
    """How many tests pass, and why it is none where the program did not run to its end."""
    command = [*_without_network(), sys.executable, "-I", "-S", "-c", RUNNER]
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as empty:
        try:
            done = subprocess.run(
                command,
                input=json.dumps([secret, program, tests]).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=empty,
                env={},
                timeout=seconds + 1,
                preexec_fn=_limits(seconds),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 0, f"it ran for more than {seconds:g} s"
    found = re.fullmatch(rf"{secret} (\d+)\n", done.stdout.decode(errors="replace"))
    return (int(found[1]), "") if found else (0, f"it ended with status {done.returncode}")


def _limits(seconds: float) -> Callable[[], None]:
    bounds = {
        resource.RLIMIT_CPU: int(seconds) + 1,
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 32,
        resource.RLIMIT_CORE: 0,
    }

    def set_limits() -> None:
        for kind, bound in bounds.items():
            resource.setrlimit(kind, (bound, bound))

    return set_limits


@cache
def _without_network() -> list[str]:
    """`unshare`, where it is there and this user may."""
    command = ["unshare", "--net", "--map-root-user"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False, timeout=10)
    except OSError:
        return []
    return command if done.returncode == 0 else []


def _tests(label: str) -> list[str]:
    try:
        tests = json.loads(label)
    except ValueError as error:
        raise BadLabel(f"code: the label is not JSON: {error}") from error
    if not isinstance(tests, list) or not tests or not all(isinstance(t, str) for t in tests):
        raise BadLabel("code: a label should be a list of tests, each a text")
    return tests
