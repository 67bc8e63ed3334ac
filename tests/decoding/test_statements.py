"""Answers as statements with marks."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding.statements import Statement, statements, text_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Ulm has 3 bridges. [2]", [("The Ulm has 3 bridges.", (2,))]),
        ("The Ulm [2] has 3 bridges [1].", [("The Ulm has 3 bridges.", (2, 1))]),
        (
            "It is 3.5 km long.[1][3] It is old.",
            [("It is 3.5 km long.", (1, 3)), ("It is old.", ())],
        ),
        ("One [1, 9].\n- Two; [2; 3]", [("One.", (1,)), ("- Two;", (2, 3))]),
        ("In [2020] it rose. [1] [9]", [("In [2020] it rose.", (1,))]),
        (
            "Smith et al. [3] say so. J. Doe [1] too.",
            [("Smith et al. say so.", (3,)), ("J. Doe too.", (1,))],
        ),
        (
            "1. It is so. [1]\n2. It is more. [2]",
            [("1. It is so.", (1,)), ("2. It is more.", (2,))],
        ),
        ("In `a[0] = b[1]` it is. [2]", [("In `a[0] = b[1]` it is.", (2,))]),
        (
            "So: [1]\n```\nfirst = items[1]. \nlast = items[2]\n```\nYes. [2]",
            [("So:", (1,)), ("```\nfirst = items[1]. \nlast = items[2]\n```", ()), ("Yes.", (2,))],
        ),
        ("See [1](http://x). Yes [1-3].", [("See [1](http://x).", ()), ("Yes.", (1, 2, 3))]),
        (
            "So it is【1】. **Big.** [1] Yes. [2]",
            [("So it is.", (1,)), ("**Big.**", (1,)), ("Yes.", (2,))],
        ),
        ("Done.\n[1]", [("Done.", (1,))]),
        ("[1] Done.", [("Done.", (1,))]),
        ("他来了。[1]他走了。", [("他来了。", (1,)), ("他走了。", ())]),
        ('"Really?" [3] Yes!', [('"Really?"', (3,)), ("Yes!", ())]),
        ("\n\n", []),
        ("[1]", []),
    ],
)
def test_marks_belong_to_their_sentences(
    text: str, found: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert [(each.text, each.cited) for each in statements(text, {1, 2, 3})] == found


def test_layout_is_kept() -> None:
    text = "First. [1]\n\n- second [2]\n- third. Fourth."
    assert text_of(statements(text, {1, 2})) == text


def test_a_line_of_signs_says_nothing() -> None:
    assert not Statement("---", ()).says_something


pieces = st.lists(
    st.sampled_from(
        ["The Ulm", " has 3", ".", "!", " ", "\n", "[1]", "[2, 3]", "[7]", "- ", "é", "["]
    )
)


@given(pieces)
def test_what_is_read_reads_the_same_again(parts: list[str]) -> None:
    found = statements("".join(parts), {1, 2, 3})
    assert statements(text_of(found), {1, 2, 3}) == found


@given(pieces)
def test_no_words_are_lost_and_no_number_is_made_up(parts: list[str]) -> None:
    text = "".join(parts)
    found = statements(text, {1, 2, 3})
    words = re.sub(r"\[\d+(, \d+)*\]", "", text)
    assert re.sub(r"\s", "", "".join(each.text for each in found)) == re.sub(r"\s", "", words)
    marked = {int(each) for each in re.findall(r"\d", "".join(re.findall(r"\[[\d, ]+\]", text)))}
    assert {number for each in found for number in each.cited} <= marked & {1, 2, 3}


@pytest.mark.parametrize(
    "text", ["a" + "." * 50_000 + "b", "a" + " " * 50_000 + "b", "[1" * 20_000]
)
def test_a_long_run_of_anything_is_read_at_once(text: str) -> None:
    """These took a minute where each place in a run was tried anew."""
    assert "".join(each.text for each in statements(text, {1})) == text
