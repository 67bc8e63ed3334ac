"""The servers that rollouts come from: those that run already, or one of our own."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from clients.servers import EngineSettings, started
from training.registry import Version

PLACES = 128
"""Completions that a server of our own draws at once."""


@asynccontextmanager
async def serving(
    urls: Sequence[str], registry: Path, version: Version
) -> AsyncGenerator[Sequence[str], None]:
    """URLs of servers that load from the registry: those given, else one that is started for this.

    Raises BideError where it does not start.
    """
    if urls:
        yield urls
        return

    def command(settings: EngineSettings, port: int) -> list[str]:
        return [
            *(sys.executable, "-m", "server", "--port", str(port)),
            *("--model", settings.model, "--registry", str(registry)),
            *("--max-num-seqs", str(settings.max_num_seqs), "--dtype", "float32"),
            *("--kv-cache-gib", str(settings.kv_cache_gib), "--log-level", "warning"),
        ]

    settings = EngineSettings(str(version.folder), max_num_seqs=PLACES)
    async with started("bide", command, settings) as server:
        yield [server.url]
