"""Documents into batches of one length each; resumable to the document."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from training.config import Batches
from training.data.documents import IGNORE, Document


@dataclass(frozen=True, slots=True)
class Batch:
    """ids and labels, both int64 [rows, length]; labels are the next tokens, IGNORE elsewhere."""

    ids: torch.Tensor
    labels: torch.Tensor
    documents: int
    shortened: int
    padding: int


class Batcher:
    """Yields batches of about `sizes.tokens` tokens, for ever.

    read: document number -> document; the same number must give the same document.
    rank, world: this process takes every world-th batch, so that processes share the data.
    """

    def __init__(
        self,
        read: Callable[[int], Document],
        sizes: Batches,
        pad: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._read, self._sizes, self._pad = read, sizes, pad
        self._rank, self._world = rank, world
        self._next, self._emitted = 0, 0
        self._waiting: dict[int, list[int]] = {length: [] for length in sizes.lengths}

    def __iter__(self) -> Iterator[Batch]:
        documents: dict[int, Document] = {
            i: self._read(i) for row in self._waiting.values() for i in row
        }
        while True:
            number, self._next = self._next, self._next + 1
            document = self._read(number)
            documents[number] = document
            length = next(n for n in self._sizes.lengths if n >= len(document.ids) - 1)
            waiting = self._waiting[length]
            waiting.append(number)
            if len(waiting) < max(1, self._sizes.tokens // length):
                continue
            rows = [documents.pop(i) for i in waiting]
            waiting.clear()
            self._emitted += 1
            if (self._emitted - 1) % self._world == self._rank:
                yield self._collate(rows, length)

    def _collate(self, rows: list[Document], length: int) -> Batch:
        ids = torch.full((len(rows), length), self._pad)
        labels = torch.full((len(rows), length), IGNORE)
        for i, row in enumerate(rows):
            size = len(row.ids) - 1
            ids[i, :size] = torch.tensor(row.ids[:-1])
            labels[i, :size] = torch.tensor(row.labels[1:])
        return Batch(
            ids,
            labels,
            documents=len(rows),
            shortened=sum(row.shortened for row in rows),
            padding=ids.numel() - sum(len(row.ids) - 1 for row in rows),
        )

    def state_dict(self) -> dict[str, object]:
        waiting = {length: list(numbers) for length, numbers in self._waiting.items()}
        return {"next": self._next, "emitted": self._emitted, "waiting": waiting}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self._next, self._emitted = state["next"], state["emitted"]  # type: ignore[assignment]
        self._waiting = {k: list(v) for k, v in state["waiting"].items()}  # type: ignore[attr-defined]
