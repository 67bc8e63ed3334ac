"""Tokens in bytes, also those that are part of a character."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.engine.pieces import Pieces
from tests.tokenizer import small_tokenizer

PIECES = Pieces(small_tokenizer())


@given(st.text(max_size=20))
def test_the_bytes_of_tokens_are_those_of_the_text(text: str) -> None:
    ids = small_tokenizer().encode(text, add_special_tokens=False)
    assert b"".join(map(PIECES.of, ids)) == text.encode()


def test_a_part_of_a_character() -> None:
    ids = small_tokenizer().encode("é", add_special_tokens=False)
    assert [PIECES.of(token) for token in ids] == [b"\xc3", b"\xa9"]


def test_a_marker_is_its_text() -> None:
    (marker,) = small_tokenizer().encode("</think>", add_special_tokens=False)
    assert PIECES.of(marker) == b"</think>"


def test_pieces_with_byte_fallback() -> None:
    words = ["▁Zürich", "<0xE2>", None]
    tokenizer: Any = SimpleNamespace(
        added_tokens_decoder={}, convert_ids_to_tokens=words.__getitem__
    )
    assert [Pieces(tokenizer).of(i) for i in range(3)] == [" Zürich".encode(), b"\xe2", b""]
