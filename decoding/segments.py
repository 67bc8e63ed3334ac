"""A segment: what is written on one passage, or on none, before the next decision to retrieve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from decoding.critique import Critique
from decoding.engine import Codec
from decoding.passages import Passage


@dataclass(frozen=True, slots=True)
class Branch:
    """A way to go on: on a passage, or on none. goes_on: on the one of the segment before."""

    passage: Passage | None = None
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """passage: that it rests on; None for none. context: ids that its writer put before it;
    token_ids: as drawn, with all that the model says beside the text.

    is_relevant, is_supported: the writer's own word on the passage; None for none. retrieval: how
    much it would look something up next, from 0 to 1; goes_on: whether it would rather stay with
    the same passage. ended: whether nothing can follow it, and ended_turn: whether the model says
    so.
    """

    passage: Passage | None
    context: tuple[int, ...]
    token_ids: tuple[int, ...]
    text: str
    critique: Critique
    is_relevant: bool
    is_supported: bool | None
    score: float
    retrieval: float | None
    goes_on: bool
    ended: bool
    ended_turn: bool

    @property
    def rests_on_it(self) -> bool:
        """Whether the passage stands behind what is written, by the writer's own word."""
        return self.passage is not None and self.is_relevant and bool(self.is_supported)


class Writer(Protocol):
    """Writes the segments of answers to one question, and says what it thinks of them.

    so_far: the segments of the answer that is gone on with.
    """

    async def retrieval(self, so_far: Sequence[Segment]) -> float | None:
        """How much it would look something up now, from 0 to 1; None where it does not say."""
        ...

    def has_room(self, so_far: Sequence[Segment], branch: Branch) -> bool:
        """Whether at least a token of a segment can be written."""
        ...

    async def write(self, so_far: Sequence[Segment], branch: Branch) -> Segment: ...


def continued(codec: Codec, token_ids: Sequence[int]) -> str:
    """Their text where some stands before them: alone, some tokenizers drop a space there."""
    before = codec.encode("a")
    return codec.decode([*before, *token_ids])[len(codec.decode(before)) :]
