"""Against the detokenizer that vLLM uses, on the shipped tokenizer, which spells unknown text."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tokenizers.decoders import DecodeStream

from decoding.types import Chunk
from server.engine.detokenizer import Mending
from tests.server.serving import small_family
from tests.tokenizer import small_tokenizer

PROMPT = "<|user|>\nHow much?<|end|>\n<|assistant|>\n<think>\n"


def said_by_vllm(prompt: Sequence[int], token_ids: Sequence[int]) -> Iterator[Chunk]:
    tokenizer: Any = small_tokenizer()
    stream = DecodeStream(ids=list(prompt), skip_special_tokens=False)
    for token in token_ids:
        yield Chunk((token,), stream.step(tokenizer._tokenizer, token) or "")


@pytest.mark.parametrize("text", ["5€ or 🙂 each, naïve", "日本語のテスト", "the answer is 5"])
def test_a_text_in_two_calls_is_whole_wherever_it_is_parted(text: str) -> None:
    codec = small_family().codec
    prompt, token_ids = codec.encode(PROMPT), codec.encode(text)
    for cut in range(len(token_ids) + 1):
        said = ""
        for start, end in ((0, cut), (cut, len(token_ids))):
            before = (*prompt, *token_ids[:start])
            mending = Mending(codec, before)
            for chunk in said_by_vllm(before, token_ids[start:end]):
                said += mending.mended(chunk).text
        assert said == text


def test_without_mending_the_prompt_is_said_again() -> None:
    codec = small_family().codec
    before = (*codec.encode(PROMPT), *codec.encode("€")[:-1])
    said = "".join(chunk.text for chunk in said_by_vllm(before, codec.encode("€")[-1:]))
    assert said == PROMPT + "€"
