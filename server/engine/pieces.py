"""Tokens in their own bytes, which decoding alone loses where they are part of a character."""

import json
import re
from functools import cache
from typing import Any

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "▁"


class Pieces:
    """The bytes of each token of a Hugging Face tokenizer, byte-level or with byte fallback."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added: dict[int, str] = {
            number: str(token) for number, token in tokenizer.added_tokens_decoder.items()
        }
        self._byte_level = _is_byte_level(tokenizer)
        self._known: dict[int, bytes] = {}

    def of(self, token_id: int) -> bytes:
        if token_id not in self._known:
            self._known[token_id] = self._found(token_id)
        return self._known[token_id]

    def _found(self, token_id: int) -> bytes:
        if token_id in self._added:
            return self._added[token_id].encode()
        piece: str | None = self._tokenizer.convert_ids_to_tokens(token_id)
        if piece is None:
            return b""
        if self._byte_level:
            return bytes(_alphabet()[letter] for letter in piece)
        if byte := _BYTE.fullmatch(piece):
            return bytes([int(byte[1], 16)])
        return piece.replace(_SPACE, " ").encode()


def _is_byte_level(tokenizer: Any) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    decoder = json.loads(backend.to_str())["decoder"] or {}
    return any(each["type"] == "ByteLevel" for each in (decoder, *decoder.get("decoders", ())))


@cache
def _alphabet() -> dict[str, int]:
    """The letter by which byte-level tokenizers write each byte: itself if it can be seen, else
    one of those from U+0100 on (GPT-2's `bytes_to_unicode`)."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(0x100) if byte not in seen]
    letters = {chr(byte): byte for byte in seen}
    return letters | {chr(0x100 + i): byte for i, byte in enumerate(unseen)}
