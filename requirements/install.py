"""Installs Bide into .venv, with nothing but Python; does nothing when the stamps are fresh."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

# Old interpreters must get as far as main() and its message: no syntax newer than Python 3.7 here.
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCKS = ROOT / "requirements"
PYTHON = VENV / "bin" / "python"
TORCH = "torch==2.13.0+cpu"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
NOT_FOUND = "No matching distribution found"
OLDEST = (3, 11)


class InstallError(Exception):
    """A failure told to the user in one line."""


def main() -> int:
    """Installs what the options ask for; returns the exit status."""
    options = parse()
    try:
        check_interpreter()
        stack = detect_stack() if options.stack == "auto" else options.stack
        install(stack, dev=options.dev)
    except InstallError as error:
        print("error: " + str(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the next run goes on from here", file=sys.stderr)
        return 130
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--dev", action="store_true", help="the test tools, too")
    return parser.parse_args()


def check_interpreter() -> None:
    """Raises InstallError unless this Python can make the virtual environment."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise InstallError(f"Python >= 3.11 is needed, this is {found}: make … PYTHON=python3.11")
    if not sys.platform.startswith("linux"):
        raise InstallError("the server runs on Linux only (x86_64, aarch64): use the container")
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        raise InstallError("Python has no venv module: on Debian, apt-get install python3-venv")


def detect_stack() -> str:
    """gpu where `nvidia-smi` works, else cpu."""
    try:
        subprocess.run(["nvidia-smi", "-L"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "cpu"
    return "gpu"


def install(stack: str, *, dev: bool) -> None:
    """Brings .venv up to the locks, step by step; each part leaves its stamp when it is done."""
    base = Stamp("base", stack, [LOCKS / "cpu.lock", ROOT / "pyproject.toml"])
    tools = Stamp("dev", stack, [LOCKS / "dev.lock"])
    if not base.fresh():
        tools.forget()  # the tools may have been installed over other versions
        make_venv(clear=base.stack() not in (None, stack))
        if stack == "cpu":
            install_cpu()
        else:
            step("vLLM for GPU", ["-e", f"{ROOT}[gpu]"])
        base.write()
    if dev and not tools.fresh():
        step("test tools", ["--no-deps", "-r", str(LOCKS / "dev.lock")])
        tools.write()


def install_cpu() -> None:
    install_torch()
    step("vLLM for CPU", ["--no-deps", "-r", str(LOCKS / "cpu.lock")])
    # setuptools is in the lock: the build fetches nothing
    step("bide", ["--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def make_venv(*, clear: bool) -> None:
    """Makes .venv, anew where `clear` or where the one that is there is broken."""
    works = [str(PYTHON), "-m", "pip", "--version"]
    if not clear and PYTHON.exists() and run(works).returncode == 0:
        return
    say("virtual environment")
    shutil.rmtree(VENV, ignore_errors=True)
    done = run([sys.executable, "-m", "venv", str(VENV)])
    if done.returncode != 0:
        raise InstallError("cannot make .venv: " + last_line(done))


def install_torch() -> None:
    """Installs torch from where pip is configured to look, else from PyTorch's own CPU index.

    Never the plain index's build: that is one for CUDA, of gigabytes, and is not called `+cpu`.
    """
    say("torch (CPU)")
    # a dead network must end in a message, not in a hang
    patience = ["--timeout", "20", "--retries", "1"]
    done = pip(["--no-deps", *patience, TORCH])
    if NOT_FOUND in done.stderr:
        say("torch (CPU) from " + TORCH_INDEX)
        done = pip(["--no-deps", *patience, "--index-url", TORCH_INDEX, TORCH])
    if NOT_FOUND in done.stderr:
        python = ".".join(map(str, sys.version_info[:2]))
        raise InstallError(
            f"{TORCH} for Python {python} is neither where pip looks nor at {TORCH_INDEX} "
            "(unreachable?): put the wheel in a folder and set PIP_FIND_LINKS to it"
        )
    if done.returncode != 0:
        raise InstallError(f"torch: {last_line(done)}")


def step(name: str, arguments: list[str]) -> None:
    """Runs one `pip install`; raises InstallError with pip's last word if it fails."""
    say(name)
    done = pip(arguments)
    if done.returncode != 0:
        raise InstallError(f"{name}: {last_line(done)}")


def pip(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    # not compiling thousands of modules nobody imports saves a third of the time
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"]
    return run([str(PYTHON), "-m", "pip", "install", *quiet, *arguments])


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The line that tells why a command failed: pip's last ERROR line, or the last line at all."""
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no output"])[-1].strip()


START = time.monotonic()


def say(step_name: str) -> None:
    print(f"[{time.monotonic() - START:4.0f} s] installing {step_name}", flush=True)


class Stamp:
    """A file in .venv that says from what, and for which stack, a part was installed."""

    def __init__(self, part: str, stack: str, files: list[Path]) -> None:
        content = b"\0".join(file.read_bytes() for file in files)
        self.path = VENV / f"bide-{part}.stamp"
        self.text = f"{stack} {hashlib.sha256(content).hexdigest()}\n"

    def fresh(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.text

    def stack(self) -> str | None:
        """The stack that was installed, if one was."""
        return self.path.read_text().split()[0] if self.path.exists() else None

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def write(self) -> None:
        self.path.write_text(self.text)


if __name__ == "__main__":
    # a PIP_USER or PIP_TARGET of the caller's would install past .venv
    for variable in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME"):
        os.environ.pop(variable, None)
    sys.exit(main())
