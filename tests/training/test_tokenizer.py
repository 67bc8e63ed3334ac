"""One token a word of the world, letters for all else, and a template that training agrees with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from tests.tokenizer import small_tokenizer
from training.tokenizer import THINK_CLOSE, lexicon, prompt_text


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return small_tokenizer()


def test_the_lexicon_is_the_same_each_time() -> None:
    assert lexicon(2000) == lexicon(2000)


def test_unknown_words_are_spelled_and_known_ones_are_not(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    assert tokenizer.tokenize("raspberry") == list("raspberry")
    assert tokenizer.tokenize(" shells") == ["Ġshells"]
    assert tokenizer.tokenize("Wait") == ["Wait"]
    assert tokenizer.tokenize("1024") == list("1024")


def test_the_markers_are_one_token_each(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(tokenizer.encode("<think>")) == len(tokenizer.encode(THINK_CLOSE)) == 1


@given(text=st.text(max_size=40))
def test_every_text_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("thinking", [True, False])
def test_the_template_renders_what_training_reads(
    tokenizer: PreTrainedTokenizerFast, thinking: bool
) -> None:
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "How many r in raspberry?"}],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=thinking,
    )
    assert rendered == prompt_text("How many r in raspberry?", thinking=thinking)
