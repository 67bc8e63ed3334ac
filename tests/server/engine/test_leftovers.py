"""Processes, shared memory and semaphores are found while their owner runs, and removed by name."""

import subprocess
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from server.engine.leftovers import Leftovers, semaphores, shared_memory

MAPPING = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0)
print(flush=True)
sys.stdin.read()
"""


def test_what_a_process_shares_is_removed() -> None:
    memory = SharedMemory(create=True, size=4096)
    command = [sys.executable, "-c", MAPPING, f"/dev/shm/{memory.name}"]
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
            assert owner.stdout is not None
            owner.stdout.readline()
            leftovers = Leftovers([owner.pid])
            owner.kill()
        for _ in range(2):
            leftovers.clear(grace=0)
            with pytest.raises(FileNotFoundError):
                SharedMemory(memory.name)
    finally:
        memory.close()


LOCKING = """
import multiprocessing, sys
lock = multiprocessing.get_context("spawn").Lock()
print(lock._semlock.name, flush=True)
sys.stdin.read()
"""


def test_its_semaphores_are_removed() -> None:
    command = [sys.executable, "-c", LOCKING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().decode().strip().removeprefix("/")
        resource_tracker.register(f"/{name}", "semaphore")  # as of a child of multiprocessing
        assert semaphores(owner.pid) == {name}
        leftovers = Leftovers([owner.pid])
        owner.kill()
    path = Path(f"/dev/shm/sem.{name}")
    for _ in range(2):
        leftovers.clear(grace=0)
        assert not path.exists()


def test_the_children_of_its_children_are_ended() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo; wait"], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        leftovers = Leftovers([owner.pid])
        owner.kill()
        leftovers.clear(grace=0)
        # The sleeper held this open.
        assert owner.stdout.read() == b""


def test_a_process_that_has_ended_leaves_nothing_known() -> None:
    assert shared_memory(2**30) == semaphores(2**30) == set()
    Leftovers([2**30]).clear()
