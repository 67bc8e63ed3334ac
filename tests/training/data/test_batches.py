"""Batches hold every document once, and a batcher goes on where it was saved."""

from itertools import islice

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.config import Batches
from training.data.batches import Batch, Batcher
from training.data.documents import IGNORE, Document

SIZES = Batches(tokens=64, lengths=(8, 16))


def read(number: int) -> Document:
    length = 3 + number * 7 % 14
    ids = [number % 50 + 1] * length
    return Document(ids, ids, shortened=False)


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.ids, other.ids) and torch.equal(one.labels, other.labels)


def test_labels_are_the_next_tokens_and_padding_is_ignored() -> None:
    batch = next(iter(Batcher(lambda _: Document([5, 6, 7], [5, IGNORE, 7], False), SIZES, pad=0)))
    assert batch.ids[0].tolist() == [5, 6, 0, 0, 0, 0, 0, 0]
    assert batch.labels[0].tolist() == [IGNORE, 7, *[IGNORE] * 6]
    assert (batch.documents, batch.padding) == (8, 48)


@given(done=st.integers(0, 9))
def test_a_loaded_batcher_yields_what_the_saved_one_would_have(done: int) -> None:
    first = Batcher(read, SIZES, pad=0)
    batches = iter(first)
    for _ in range(done):
        next(batches)
    second = Batcher(read, SIZES, pad=0)
    second.load_state_dict(first.state_dict())
    ahead = list(islice(iter(second), 6))
    assert all(same(a, b) for a, b in zip(islice(batches, 6), ahead, strict=True))


def test_processes_share_the_batches() -> None:
    alone = list(islice(iter(Batcher(read, SIZES, pad=0)), 6))
    shared = [iter(Batcher(read, SIZES, 0, rank, 2)) for rank in range(2)]
    together = [next(shared[i % 2]) for i in range(6)]
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))
