"""Formulas that are equal, and texts that state none."""

from collections.abc import Iterator

import pytest

from training.verifiers.maths import Maths, last_boxed


@pytest.fixture(scope="module")
def maths() -> Iterator[Maths]:
    found = Maths()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("completion", "label", "score"),
    [
        (r"So \boxed{\frac{1}{2}}.", "0.5", 1),
        (r"\boxed{1} or rather \boxed{x^2+2x+1}", "(x+1)^2", 1),
        (r"\boxed{2}", "3", 0),
        ("Final Answer: The final answer is $7$. I hope it is correct.", "7", 1),
        ("Seven.", "7", 0),
        (r"\boxed{2", "2", 0),
    ],
)
def test_scores(maths: Maths, completion: str, label: str, score: float) -> None:
    assert maths.verify(completion, label).score == score


def test_boxes_within_boxes() -> None:
    assert last_boxed(r"\boxed{\sqrt{\frac{1}{2}}} is it") == r"\sqrt{\frac{1}{2}}"
    assert last_boxed("nothing") is None
