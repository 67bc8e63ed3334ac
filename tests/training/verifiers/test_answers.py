"""Answers in texts: numbers as numbers, words in common, and the whole of GSM8K."""

import json
from pathlib import Path

import pytest

from training.verifiers import VERIFIERS, BadLabel, UnknownVerifier, named

GSM8K = Path(__file__).parents[4] / "shared" / "data" / "gsm8k"


@pytest.mark.parametrize(
    ("name", "completion", "label", "score"),
    [
        ("gsm8k", "So it is 18.0", "18", 1),
        ("gsm8k", "It costs $1,250.", "1250", 1),
        ("gsm8k", "7 apples and then 8", "7", 0),
        ("gsm8k", "none", "7", 0),
        ("gsm8k", "-3", "because\n#### -3", 1),
        ("gsm8k", "between 1 and .5", "0.5", 1),
        ("answer", "The answer is 12.", "12", 1),
        ("answer", "The answer is 13.", "12", 0),
        ("answer", "", "12", 0),
        ("exact", " yes\n", "yes", 1),
        ("exact", "Yes", "yes", 0),
        ("f1", "The cat sat", "a cat sat", 1),
        ("f1", "cat", "cat dog bird", 0.5),
        ("f1", "", "", 1),
        ("f1", "dog", "cat", 0),
        ("format", "The answer is 13.", "12", 1),
        ("format", "", "12", 0),
    ],
)
def test_scores(name: str, completion: str, label: str, score: float) -> None:
    assert named(name).verify(completion, label).score == score


def test_unknown_names_raise() -> None:
    with pytest.raises(UnknownVerifier, match="no verifier 'gsm', only"):
        named("gsm")


def test_a_label_without_a_number() -> None:
    with pytest.raises(BadLabel, match="has no number"):
        named("gsm8k").verify("3", "three")


def test_all_have_names() -> None:
    assert {"answer", "gsm8k", "math", "ifeval", "code", "judge"} <= VERIFIERS.keys()


@pytest.mark.skipif(not GSM8K.is_dir(), reason="GSM8K is not in ../shared/data")
def test_every_gold_solution_of_gsm8k_and_none_with_its_number_changed() -> None:
    verifier = named("gsm8k")
    rows = [
        json.loads(line)["answer"]
        for name in ("train", "test")
        for line in (GSM8K / f"{name}.jsonl").read_text().splitlines()
    ]
    assert len(rows) == 8792
    for solution in rows:
        reasoning, _, gold = solution.rpartition("####")
        assert verifier.verify(solution, gold).score == 1
        assert verifier.verify(f"{reasoning}The answer is {gold.strip()}.", solution).score == 1
        changed = f"{float(gold.replace(',', '')) + 1:g}"
        assert verifier.verify(f"{reasoning}#### {changed}", gold).score == 0
