"""Every formula of Self-RAG, from fixed probabilities."""

from math import exp, log

import pytest

from decoding import critique
from decoding.critique import Critique, Weights
from decoding.reflection import Reflection, ReflectionNames, resolve
from tests.scripted import BIDE, FakeCodec

NAMES = ReflectionNames()
TEXTS = (
    *(NAMES.retrieval, NAMES.no_retrieval, NAMES.same_evidence, NAMES.relevant, NAMES.irrelevant),
    *(NAMES.fully, NAMES.partially, NAMES.unsupported, NAMES.paragraph, NAMES.end_of_paragraph),
    *NAMES.utilities,
)


def tokens() -> Reflection:
    found = resolve(FakeCodec(*TEXTS))
    assert found is not None
    return found


T = tokens()


def test_a_tokenizer_that_was_not_taught_them_has_none() -> None:
    assert resolve(BIDE.codec) is None
    assert resolve(FakeCodec(*TEXTS[:-1])) is None
    assert len(T.told) == 13


@pytest.mark.parametrize(
    ("retrieval", "no_retrieval", "share"),
    [(0.3, 0.7, 0.3), (0.001, 0.9, 0.00111), (0.9, 0.001, 0.99889), (0.2, 0.2, 0.5), (0, 0.5, 0)],
)
def test_retrieval_is_a_share_of_probabilities_and_not_of_their_logarithms(
    retrieval: float, no_retrieval: float, share: float
) -> None:
    found = {T.retrieval: retrieval, T.no_retrieval: no_retrieval}
    assert critique.retrieval(found, T) == pytest.approx(share, rel=1e-3)


def test_a_model_that_says_neither_decides_nothing() -> None:
    assert critique.retrieval({T.retrieval: 0.0, T.no_retrieval: 0.0}, T) is None


def test_relevance() -> None:
    assert critique.relevance({T.relevant: 0.6, T.irrelevant: 0.2}, T) == pytest.approx(0.75)
    assert critique.relevance({T.relevant: 0.6}, T) == 1.0
    assert critique.relevance({}, T) is None


def test_support() -> None:
    found = {T.fully: 0.4, T.partially: 0.2, T.unsupported: 0.2}
    assert critique.support(found, T) == pytest.approx((0.4 + 0.5 * 0.2) / 0.8)
    assert critique.support({T.unsupported: 0.1}, T) == 0.0


def test_utility_is_the_mean_of_the_grades() -> None:
    found = dict(zip(T.utilities, (0.1, 0.1, 0.2, 0.2, 0.4), strict=True))
    assert critique.utility(found, T) == pytest.approx(-0.1 - 0.05 + 0.1 + 0.4)
    assert critique.utility({T.utilities[4]: 0.3}, T) == 1.0


def test_a_segment_has_its_probability_and_its_critique() -> None:
    found = Critique(relevance=0.75, support=0.5, utility=-0.5)
    logprobs = [log(0.9), log(0.4)]
    expected = exp(sum(logprobs) / 2) + 0.75 + 0.5 + 0.5 * -0.5
    assert critique.score(logprobs, found, Weights()) == pytest.approx(expected)
    weights = Weights(relevance=0.0, support=2.0, utility=1.0)
    expected = exp(sum(logprobs) / 2) + 2 * 0.5 - 0.5
    assert critique.score(logprobs, found, weights) == pytest.approx(expected)


def test_what_was_not_said_adds_nothing() -> None:
    assert critique.score([log(0.5)], Critique(), Weights()) == pytest.approx(0.5)
    assert critique.score([], Critique(), Weights()) == 1.0
