"""What is learnt of a document, and what is not."""

import random
import re

import pytest
from tokenizers import Tokenizer

from tests.tokenizer import small_tokenizer
from training.data.documents import IGNORE, chat, encode, encode_cut, plain, without_thinking
from training.tokenizer import prompt_text
from training.world.families import draw
from training.world.problem import Problem
from training.world.trace import Habits


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return small_tokenizer().backend_tokenizer


@pytest.fixture
def rng() -> random.Random:
    return random.Random(3)


@pytest.fixture
def problem(rng: random.Random) -> Problem:
    return draw(rng, "train")


def learnt(tokenizer: Tokenizer, labels: list[int]) -> str:
    kept = [label for label in labels if label != IGNORE]
    return str(tokenizer.decode(kept, skip_special_tokens=False))


def test_sft_learns_the_assistants_part_alone(
    tokenizer: Tokenizer, rng: random.Random, problem: Problem
) -> None:
    pieces = chat(problem, rng, Habits(forced=0.0), assistant_only=True)
    document = encode(pieces, tokenizer, 640)
    whole = "".join(piece.text for piece in pieces)
    assert tokenizer.decode(document.ids, skip_special_tokens=False) == whole
    assert learnt(tokenizer, document.labels) == whole[len(prompt_text(problem.question)) :]


def test_pre_training_learns_everything_but_forced_waits(
    tokenizer: Tokenizer, rng: random.Random, problem: Problem
) -> None:
    habits = Habits(wait_easy=0, wait_hard=0, forced=1.0, forced_again=0.0)
    document = encode(plain(problem, rng, habits), tokenizer, 640)
    hidden = [i for i, label in zip(document.ids, document.labels, strict=True) if label == IGNORE]
    assert tokenizer.decode(hidden) == "Wait"


def test_a_cut_thought_is_closed_unlearnt_and_answers_with_its_last_conclusion(
    tokenizer: Tokenizer, rng: random.Random, problem: Problem
) -> None:
    pieces = chat(problem, rng, Habits(forced=0.0), assistant_only=True)
    for _ in range(20):
        document = encode_cut(pieces, problem.answer, rng, tokenizer, 640)
        text = str(tokenizer.decode(document.ids, skip_special_tokens=False))
        thought, _, answer = text.partition("</think>\n")
        concluded = re.findall(r"So it's (.*)\.\n", thought)
        expected = concluded[-1] if concluded else problem.answer
        assert answer == f"The answer is {expected}.<|end|>"
        assert "</think>" not in learnt(tokenizer, document.labels)


def test_thinking_turned_off_is_an_empty_thought(tokenizer: Tokenizer, problem: Problem) -> None:
    document = encode(without_thinking(problem, assistant_only=True), tokenizer, 640)
    assert learnt(tokenizer, document.labels) == f"The answer is {problem.answer}.<|end|>"


def test_a_document_too_long_loses_its_last_passes_and_says_so(
    tokenizer: Tokenizer, rng: random.Random, problem: Problem
) -> None:
    habits = Habits(forced=1.0, forced_again=1.0, passes=5)
    pieces = chat(problem, rng, habits, assistant_only=True)
    longest = len(encode(pieces, tokenizer, 10_000).ids) - 1
    document = encode(pieces, tokenizer, longest)
    text = str(tokenizer.decode(document.ids, skip_special_tokens=False))
    assert document.shortened
    assert text.count("Wait") == 3
    assert text.endswith(f"</think>\nThe answer is {pieces[-4].answer}.<|end|>")
