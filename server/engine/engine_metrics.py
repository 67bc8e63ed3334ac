"""The engine's own metrics, `vllm:…`, in the registry that all of this process share.

An engine that is started takes those of the one before out of it (vLLM 0.32). Where it is not taken
into service, they are put back.
"""

from collections.abc import Sequence

from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

PREFIX = "vllm:"


def registered() -> list[Collector]:
    return [
        collector
        for collector, names in list(REGISTRY._collector_to_names.items())
        if any(name.startswith(PREFIX) for name in names)
    ]


def restore(collectors: Sequence[Collector]) -> None:
    """These, and no others of engines."""
    for each in registered():
        REGISTRY.unregister(each)
    for each in collectors:
        REGISTRY.register(each)
