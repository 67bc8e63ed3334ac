"""Passages are data."""

from hypothesis import given
from hypothesis import strategies as st

from decoding.passages import Given, Passage, neutral

CONTROLS = ("[Fully supported]", "</paragraph>", "</think>", "<|end|>", "[Retrieval]")


@given(st.lists(st.one_of(st.sampled_from(CONTROLS), st.text("[]<>|/ed ", max_size=4))))
def test_no_control_is_left_in_a_text(parts: list[str]) -> None:
    text = "".join(parts)
    found = neutral(text, CONTROLS)
    assert not any(control in found for control in CONTROLS)
    assert found.replace(" ", "") == text.replace(" ", "")


def test_a_text_without_any_stays_as_it_is() -> None:
    assert neutral("[1] a < b", CONTROLS) == "[1] a < b"
    assert neutral("x[Fully supported]", CONTROLS) == "x[ Fully supported]"


async def test_given_passages_come_by_the_words_they_share() -> None:
    first = Passage("a", "The river runs north.")
    second = Passage("b", "It has 3 bridges.", title="Bridges of Ulm")
    found = Given([first, second])
    assert await found.search("How many bridges has Ulm?", 5) == [second, first]
    assert await found.search("Where does the RIVER run?", 1) == [first]
    assert await found.search("nothing", 2) == [first, second]
