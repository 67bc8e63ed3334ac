"""Two servers started side by side: Bide, and vLLM's own with the same engine settings."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from socket import socket

import httpx

from clients.overhead import Rival
from clients.wire import BideError

PR_SET_PDEATHSIG = 1

PATIENCE = 180
"""Seconds until a server answers."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Of both engines. core: that computes, on CPU, unless the environment's
    VLLM_CPU_OMP_THREADS_BIND says which; the servers share the others."""

    model: str
    max_num_seqs: int = 64
    block_size: int = 32
    kv_cache_gib: float = 1
    core: int = 0


def bide(settings: EngineSettings, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "server", "--port", str(port)),
        *("--model", settings.model, "--served-name", "model"),
        *("--max-num-seqs", str(settings.max_num_seqs), "--block-size", str(settings.block_size)),
        *("--kv-cache-gib", str(settings.kv_cache_gib), "--log-level", "warning"),
    ]


def vllm(settings: EngineSettings, port: int) -> list[str]:
    """Of its flags only those that make its engine the same as Bide's, on CPU."""
    return [
        *(sys.executable, "-W", "ignore", "-m", "vllm.entrypoints.openai.api_server"),
        *("--port", str(port), "--model", settings.model, "--served-model-name", "model"),
        *("--max-num-seqs", str(settings.max_num_seqs), "--block-size", str(settings.block_size)),
        *("--kv-cache-memory-bytes", str(int(settings.kv_cache_gib * 2**30))),
        *("--gpu-memory-utilization", "0.1", "--enforce-eager", "--generation-config", "vllm"),
        "--disable-uvicorn-access-log",
    ]


@asynccontextmanager
async def side_by_side(
    settings: EngineSettings, *, alone: bool
) -> AsyncGenerator[tuple[Rival, Rival | None], None]:
    """Both, each idle while the other is loaded; without vLLM's where Bide is measured alone.

    Raises BideError where one does not start.
    """
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(started("bide", bide, settings))
        if alone:
            yield ours, None
        else:
            yield ours, await stack.enter_async_context(started("vllm", vllm, settings))


def _is_torchrun(name: str) -> bool:
    """Whether torchrun set it, for its own processes: a server that one of them starts is none."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return False
    own = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS")
    return name in own or name.startswith(("LOCAL_", "GROUP_", "ROLE_", "TORCHELASTIC_"))


@asynccontextmanager
async def started(
    name: str, command: Callable[[EngineSettings, int], list[str]], settings: EngineSettings
) -> AsyncGenerator[Rival, None]:
    port = free_port()
    environment = {
        "VLLM_CPU_OMP_THREADS_BIND": str(settings.core),
        **{name: value for name, value in os.environ.items() if not _is_torchrun(name)},
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        *command(settings, port),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        preexec_fn=_ending_with_its_parent,
    )
    try:
        await answering(name, f"http://127.0.0.1:{port}/health", process)
        yield Rival(name, f"http://127.0.0.1:{port}", process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _ending_with_its_parent() -> None:
    """Also with one that is killed, where nothing of ours runs any more. Linux alone has it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def answering(name: str, url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(PATIENCE):
            if process.returncode is not None:
                raise BideError(f"{name} ended with status {process.returncode} as it started")
            try:
                if (await client.get(url)).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(1)
    raise BideError(f"{name} does not answer at {url} after {PATIENCE} s")


def free_port() -> int:
    with closing(socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
