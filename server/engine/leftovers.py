"""What a killed process leaves behind: its processes, shared memory and semaphores."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import psutil

SHARED = Path("/dev/shm")

GRACE = 10.0
"""Seconds for processes to end by themselves once the one that started them has ended."""


class Leftovers:
    """Noted while the processes run, since nobody can tell afterwards."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._children: list[psutil.Process] = []
        self._memory: set[str] = set()
        self._semaphores: set[str] = set()
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                self._children += psutil.Process(pid).children(recursive=True)
            self._memory |= shared_memory(pid)
            self._semaphores |= semaphores(pid)
        self._semaphores -= semaphores(os.getpid())

    def clear(self, grace: float = GRACE) -> None:
        """Once the processes have ended. May be called again."""
        _, left = psutil.wait_procs(self._children, timeout=grace)
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(left)
        # Later than the last that would remove its own, and complain.
        for name in self._memory:
            with suppress(FileNotFoundError):
                memory = SharedMemory(name)
                memory.close()
                memory.unlink()
        for name in self._semaphores:
            with suppress(FileNotFoundError):
                SHARED.joinpath(f"sem.{name}").unlink()
                resource_tracker.unregister(f"/{name}", "semaphore")


def shared_memory(pid: int) -> set[str]:
    """Names of what Python's multiprocessing has shared with a running process."""
    return {path.name for path in _open_in(pid, "psm_*")}


def semaphores(pid: int) -> set[str]:
    """Names of the semaphores of Python's multiprocessing that a running process has open."""
    return {path.name.removeprefix("sem.") for path in _open_in(pid, "sem.mp-*")}


def _open_in(pid: int, pattern: str) -> set[Path]:
    """By inode: a semaphore gets its name only once it is mapped."""
    try:
        mapped = Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return set()
    inodes = set(map(int, re.findall(rf" (\d+) +{SHARED}/", mapped)))
    found = set()
    for path in SHARED.glob(pattern):
        with suppress(FileNotFoundError):
            if path.stat().st_ino in inodes:
                found.add(path)
    return found
