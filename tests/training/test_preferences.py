"""Pairs from files, whose faults are named, and pairs from what a base says."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import rollout
from training.preferences import PairError, paired, read
from training.rollouts.questions import Practice
from training.tokenizer import prompt_text
from training.verifiers import named


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return small_tokenizer()


def test_read(tmp_path: Path, tokenizer: Any) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": "What is 1+1?", "chosen": "2", "rejected": "3"},
        {"prompt": [{"role": "user", "content": "Hm?"}], "chosen": "a", "rejected": "b"},
    ]
    path.write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    first, second = read(path, tokenizer)
    assert tokenizer.decode(first.prompt_ids) == prompt_text("What is 1+1?")
    assert tokenizer.decode(first.chosen_ids) == "2<|end|>"
    assert tokenizer.decode(second.rejected_ids) == "b<|end|>"
    assert first.longest == len(first.prompt_ids) + 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", ":2: not JSON"),
        ("[]", ":2: should be an object with prompt, chosen and rejected"),
        ('{"prompt": "a", "rejected": "b"}', ":2: chosen: should be a text"),
        ('{"prompt": "a", "chosen": "b", "rejected": ""}', ":2: rejected: should be a text"),
        ('{"prompt": "a", "chosen": "b", "rejected": "b"}', ":2: chosen and rejected are the same"),
        ('{"prompt": 1, "chosen": "a", "rejected": "b"}', ":2: prompt: should be a text"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, tokenizer: Any, line: str, says: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n' + line)
    with pytest.raises(PairError, match=f"pairs.jsonl{says}"):
        list(read(path, tokenizer))


def test_files_that_have_none(tmp_path: Path, tokenizer: Any) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(PairError, match="there are no pairs in it"):
        list(read(tmp_path / "empty", tokenizer))
    with pytest.raises(PairError, match="No such file"):
        list(read(tmp_path / "none", tokenizer))


def test_a_right_and_a_wrong_one_pair() -> None:
    questions = [Practice(f"{i}?", str(i)) for i in range(3)]
    right = [rollout(1, text=f"The answer is {i}.") for i in range(3)]
    wrong, cut = (
        rollout(2, text="The answer is 9."),
        rollout(3, text="The answer is 1.", ended=False),
    )
    groups = [[right[0], wrong], [cut, right[1], right[1]], [right[2], right[2]]]
    found = list(paired(questions, groups, named("answer"), random.Random(0)))
    assert [(pair.chosen_ids, pair.rejected_ids) for pair in found] == [([1], [2]), ([1], [3])]
