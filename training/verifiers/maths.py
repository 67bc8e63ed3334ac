r"""Formulas: the last \boxed{} of a text, or what its last sentence concludes, equals the label.

math-verify compares; it bounds its time by signals, which only a process's main thread has, so it
runs in processes of its own.
"""

import atexit
import re
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from training.verifiers.verifier import Verdict, judged

SECONDS = 5
"""For one comparison."""

MINERVA = re.compile(r"[Ff]inal [Aa]nswer:?\s*(?:The final answer is)?\s*(.+?)\.?\s*(?:I hope|$)")


class Maths:
    """processes: comparisons at once; they are started with the first."""

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def verify(self, completion: str, label: str) -> Verdict:
        stated = last_boxed(completion) or _concluded(completion)
        if stated is None:
            return judged(False, r"there is no \boxed{} and no final answer")
        try:
            right = self._open().submit(equal, stated, label).result(timeout=4 * SECONDS)
        except (BrokenProcessPool, TimeoutError):
            self.close()
            return judged(False, f"{stated!r} could not be compared")
        return judged(right, f"the answer is {stated!r}, and {label!r} is right")

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"))
            atexit.register(self.close)
        return self._pool


def equal(stated: str, label: str) -> bool:
    """In a process of its own."""
    from math_verify import parse, verify

    wanted, found = (parse(f"${each}$", parsing_timeout=SECONDS) for each in (label, stated))
    return bool(verify(wanted, found, timeout_seconds=SECONDS))


def last_boxed(text: str) -> str | None:
    """What is between the braces, which may have braces in them."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len("\\boxed{")
    for at in range(begin - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return text[begin:at]
    return None


def _concluded(text: str) -> str | None:
    found = MINERVA.search(text)
    return found[1].strip(" $") if found else None
