"""Passages are of a bounded size, and nothing of a text is lost."""

from hypothesis import given
from hypothesis import strategies as st

from server.retrieval.chunking import passages

WORDS = st.sampled_from(["a", "bb", "ccc.", "\n", "\n\n", " "])


@given(st.lists(WORDS, max_size=80), st.integers(1, 12))
def test_nothing_is_lost_and_none_is_too_long(parts: list[str], words: int) -> None:
    text = " ".join(parts)
    found = list(passages(text, words))
    assert all(1 <= len(each.split()) <= words for each in found)
    said = iter(" ".join(found).split())
    assert all(word in said for word in text.split())  # in order, with what overlaps between


def test_paragraphs_stay_whole_where_they_fit() -> None:
    text = "one two\n\nthree four\n\n\nfive six seven"
    assert list(passages(text, 4)) == ["one two\n\nthree four", "five six seven"]


def test_a_long_paragraph_is_cut_into_windows_that_overlap() -> None:
    found = list(passages(" ".join(map(str, range(12))), 5))
    assert found == ["0 1 2 3 4", "4 5 6 7 8", "8 9 10 11"]


def test_an_empty_text_has_none() -> None:
    assert list(passages(" \n\n ", 5)) == []
