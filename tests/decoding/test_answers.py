import pytest

from decoding.answers import extract, same


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 352.", "352"),
        ("So the answer is 9.8.", "9.8"),
        ("The answer is 21 April.", "21 April"),
        ("Final Answer: **1,024**", "1,024"),
        ("The answer is 3. No: the answer is 4.", "4"),
        ("12 and 30 make 42", "42"),
        ("I do not know", None),
    ],
)
def test_extract(text: str, answer: str | None) -> None:
    assert extract(text) == answer


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("18", "18.0", True),
        ("1,000", "1000", True),
        ("9.8", "9.80", True),
        ("9.8", "9.11", False),
        ("Friday", " friday ", True),
        ("21 April", "21 May", False),
        ("-3", "3", False),
    ],
)
def test_same(one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal
