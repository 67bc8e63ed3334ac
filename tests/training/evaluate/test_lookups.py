"""What an exam of look-ups counts."""

import random
from typing import Any

import pytest

from training.evaluate.lookups import Question, Tally, asked, auc, exam, self_contained
from training.world import lookups

DOCUMENTS = (
    {"id": "0", "title": "Ulm", "text": "Ulm has 3 bridges."},
    {"id": "1", "title": "Ulk", "text": "Ulk has 7 bridges."},
)
QUESTION = Question(
    "How many bridges does Ulm have?", ("3",), DOCUMENTS, frozenset("0"), frozenset("0")
)


def told(*citations: tuple[int, int, str], **more: Any) -> dict[str, Any]:
    cited = [
        {"start": start, "end": end, "document_id": document} for start, end, document in citations
    ]
    return {"citations": cited, "retrievals": 1, **more}


@pytest.mark.parametrize(
    ("content", "citations", "correct", "rightly", "supported"),
    [
        ("Ulm has 3 bridges. [1]", [(0, 18, "0")], 1, 1, 1),
        ("Ulm has 3 bridges. [1]", [(0, 18, "1")], 1, 0, 0),
        ("Ulm has 7 bridges. [1]", [(0, 18, "1")], 0, 0, 1),
        ("Ulm has 3 bridges.", [], 1, 0, 0),
        ("I do not know.", [], 0, 0, 0),
    ],
)
def test_answers_and_citations_are_judged(
    content: str, citations: Any, correct: int, rightly: int, supported: int
) -> None:
    tally = Tally()
    tally.add(QUESTION, content, told(*citations))
    assert (tally.correct, tally.rightly, tally.supported) == (correct, rightly, supported)
    assert tally.cited == len(citations)
    assert tally.by_facts == {"1 in 1": [correct, 1]}


def test_critiques_of_first_passages_are_kept() -> None:
    trial = {"parent": None, "document_id": "0", "relevance": 0.9, "support": None}
    tree = [trial, trial | {"document_id": "1", "relevance": 0.2}, trial | {"parent": 0}]
    tally = Tally()
    tally.add(QUESTION, "", told(tree=tree))
    assert tally.relevance == [(0.9, True), (0.2, False)]
    assert tally.support == []


def test_the_area_under_the_curve() -> None:
    assert auc([(0.9, True), (0.1, False)]) == 1.0
    assert auc([(0.1, True), (0.9, False)]) == 0.0
    assert auc([(0.5, True), (0.5, False)]) == 0.5
    assert auc([(0.9, True), (0.5, True), (0.5, False), (0.1, False)]) == pytest.approx(3.5 / 4)
    assert auc([(0.9, True)]) is None


def test_an_exam_is_the_same_each_time_and_can_be_answered() -> None:
    questions = list(exam(50, "test"))
    assert questions == list(exam(50, "test"))
    for each in questions:
        texts = " ".join(d["text"] for d in each.documents if d["id"] in each.right)
        assert all(number in texts for number in each.answer)
        assert 5 <= len(each.documents) <= 6
        assert each.right <= each.relevant
        assert len(each.relevant - each.right) <= 1
    assert all(not each.relevant for each in self_contained(5, "test"))


def test_documents_are_shuffled() -> None:
    rng = random.Random(0)
    found = [asked(rng, lookups.draw(rng, "test")).documents[0]["id"] for _ in range(20)]
    assert len(set(found)) > 1
