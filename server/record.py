"""What is known of the request that is being served: its id, and what came of its answers."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from decoding.types import Final


@dataclass(slots=True)
class Record:
    id: str
    finals: list[Final] = field(default_factory=list)
    """Of its choices; what a vote's samples generated is in the first choice's usage."""

    def summary(self) -> dict[str, Any]:
        """Of all choices together. Numbers and names of states; never a text."""
        if not self.finals:
            return {}
        usages = [final.usage for final in self.finals]
        thoughts = [final.thinking for final in self.finals if final.thinking]
        vote = self.finals[0].vote
        return {
            "prompt_tokens": usages[0].prompt,
            "completion_tokens": sum(usage.completion for usage in usages),
            "reasoning_tokens": sum(usage.reasoning for usage in usages),
            "waits": sum(thought.waits for thought in thoughts),
            "finish": ",".join(dict.fromkeys(final.finish for final in self.finals)),
            **({"samples": vote.started} if vote else {}),
        }


current: ContextVar[Record | None] = ContextVar("request", default=None)
"""Tasks that a request starts see its record too, for a task copies its starter's context."""
