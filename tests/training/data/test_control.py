"""A document asks for the length that its thinking has, rounded up to a power of two."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.tokenizer import small_tokenizer
from training.config import Recipe, load_recipe
from training.data.control import Unit, bucket
from training.data.documents import IGNORE, Document
from training.data.mixture import documents

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
UNITS: tuple[Unit, ...] = ("tokens", "steps")


@cache
def tokenizer() -> Tokenizer:
    return small_tokenizer().backend_tokenizer


def recipe(unit: Unit, **mix: float) -> Recipe:
    """The recipe that ships, with nothing but whole conversations unless `mix` says so."""
    shipped = load_recipe(RECIPES / f"mini-{unit}.toml")
    (stage,) = shipped.stages
    every = {"no_thinking": 0.0, "cut": 0.0, **mix}
    stage = stage.model_copy(update={"mix": stage.mix.model_copy(update=every)})
    return shipped.model_copy(update={"stages": (stage,)})


def reader(unit: Unit, **mix: float) -> Callable[[int], Document]:
    chosen = recipe(unit, **mix)
    return documents(chosen, chosen.stages[0], tokenizer(), assistant_only=True)


def text(ids: list[int]) -> str:
    return str(tokenizer().decode(ids, skip_special_tokens=False))


def parts(document: Document) -> tuple[str, int, str, str]:
    """The question, the limit, the thinking and what follows it."""
    found = re.fullmatch(
        r"<\|user\|>\n(.*)\nThink for up to (\d+) (?:tokens|steps)\."
        r"\n<\|assistant\|>\n<think>\n(.*)</think>\n(.*)",
        text(document.ids),
        re.DOTALL,
    )
    assert found is not None, text(document.ids)
    return found[1], int(found[2]), found[3], found[4]


@given(st.integers(1, 10_000))
def test_a_bucket_is_the_least_power_of_two_that_holds_the_length(length: int) -> None:
    limit = bucket(length)
    assert limit.bit_count() == 1
    assert length <= limit < 2 * length


@given(st.integers(0, 10**6))
def test_the_tokens_asked_for_are_those_of_the_thought(number: int) -> None:
    _, limit, thought, answer = parts(reader("tokens")(number))
    assert limit == bucket(len(tokenizer().encode(thought).ids))
    assert answer.startswith("The answer is ")


@given(st.integers(0, 10**6))
def test_the_steps_asked_for_are_counted_down_line_by_line(number: int) -> None:
    _, limit, thought, _ = parts(reader("steps")(number))
    lines = thought.splitlines()
    counts, steps = lines[::2], lines[1::2]
    assert counts == [f"{limit - i} left" for i in range(len(steps))]
    assert limit == bucket(len(steps))
    assert limit - len(steps) >= 0
    assert not any(step.endswith(" left") for step in steps)


@pytest.mark.parametrize("unit", UNITS)
def test_what_is_asked_is_not_learnt_and_the_thought_is(unit: Unit) -> None:
    read = reader(unit)
    for number in range(100):
        document = read(number)
        learnt = [label for label in document.labels if label != IGNORE]
        assert "<think>\n" + text(learnt) == text(document.ids)[-len(text(learnt)) - 8 :]
        assert text(document.ids).count("Wait") == text(learnt).count("Wait")


@pytest.mark.parametrize("unit", UNITS)
def test_a_thought_that_loses_passes_asks_for_what_is_left_of_it(unit: Unit) -> None:
    read, shortened = reader(unit), 0
    for number in range(1500):
        document = read(number)
        if document.shortened:
            _, limit, thought, _ = parts(document)
            length = len(tokenizer().encode(thought).ids)
            own = length if unit == "tokens" else thought.count("\n") // 2
            assert limit == bucket(own)
            shortened += 1
    assert shortened > 5


@pytest.mark.parametrize("unit", UNITS)
def test_a_cut_thought_asks_for_the_whole_of_it_and_ends_within(unit: Unit) -> None:
    read = reader(unit, cut=1.0)
    for number in range(100):
        document = read(number)
        _, limit, thought, _ = parts(document)
        length = len(tokenizer().encode(thought).ids)
        assert (length if unit == "tokens" else thought.count("\n") // 2) <= limit
        assert "</think>" not in text([label for label in document.labels if label != IGNORE])


@pytest.mark.parametrize("unit", UNITS)
def test_without_thinking_nothing_is_asked(unit: Unit) -> None:
    read = reader(unit, no_thinking=1.0)
    for number in range(20):
        assert "Think for" not in text(read(number).ids)


@pytest.mark.parametrize("unit", UNITS)
def test_all_lengths_come_up_and_a_number_is_always_the_same_document(unit: Unit) -> None:
    documents = [reader(unit)(number) for number in range(400)]
    assert documents == [reader(unit)(number) for number in range(400)]
    limits = [parts(document)[1] for document in documents]
    expected = (16, 32, 64, 128, 256, 512) if unit == "tokens" else (2, 4, 8, 16, 32)
    for limit in expected:
        assert limits.count(limit) >= 0.02 * len(limits)
