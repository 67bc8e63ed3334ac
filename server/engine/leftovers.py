"""What a killed process leaves behind: the processes it started, and shared memory."""

import re
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import psutil

GRACE = 10.0
"""Seconds for processes to end by themselves once the one that started them has ended."""


class Leftovers:
    """Noted while the processes run, since nobody can tell afterwards."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._children: list[psutil.Process] = []
        self._shared: set[str] = set()
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                self._children += psutil.Process(pid).children(recursive=True)
            self._shared |= shared_memory(pid)

    def clear(self, grace: float = GRACE) -> None:
        """Once the processes have ended. May be called again."""
        _, left = psutil.wait_procs(self._children, timeout=grace)
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(left)
        # Later than the last that would remove its own, and complain.
        for name in self._shared:
            with suppress(FileNotFoundError):
                memory = SharedMemory(name)
                memory.close()
                memory.unlink()


def shared_memory(pid: int) -> set[str]:
    """Names of what Python's multiprocessing has shared with a running process."""
    try:
        mapped = Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return set()
    return set(re.findall(r"/dev/shm/(psm_\w+)$", mapped, re.MULTILINE))
