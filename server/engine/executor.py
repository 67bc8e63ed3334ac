"""Where the model runs on a CPU: in the scheduler's own process.

vLLM gives the model a process of its own there, and answers a request for its "uni" executor with
that one too: the number of computing threads must be in the environment before torch is loaded,
and its command line cannot see to that. `in_scheduler` does. What it saves is a message to another
process and back at every step, on which both sides spin, and a third copy of the libraries in
memory.
"""

import os

from vllm.v1.executor.uniproc_executor import UniProcExecutor


class InScheduler(UniProcExecutor):
    """By a name that vLLM does not replace."""


def in_scheduler(threads: int) -> str:
    """Its name, for an engine that is started after this, with so many computing threads."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return f"{InScheduler.__module__}.{InScheduler.__qualname__}"
