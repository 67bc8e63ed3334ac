"""Pairs from files, whose faults are named, and pairs from what a base says."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import rollout
from training.data.sources import RowError
from training.preferences import paired, read
from training.rollouts.questions import Practice
from training.stages import Source
from training.tokenizer import prompt_text


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return small_tokenizer()


def source(path: Path) -> Source:
    return Source(path=str(path))


def test_read(tmp_path: Path, tokenizer: Any) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": "What is 1+1?", "chosen": "2", "rejected": "3"},
        {"prompt": [{"role": "user", "content": "Hm?"}], "chosen": "a", "rejected": "b"},
        {
            "prompt": "Hm?",
            "chosen": [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "a"}],
            "rejected": [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "b"}],
        },
    ]
    path.write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    first, second, third = read([source(path)], 0, tokenizer)
    assert tokenizer.decode(first.prompt_ids) == prompt_text("What is 1+1?")
    assert tokenizer.decode(first.chosen_ids) == "2<|end|>"
    assert tokenizer.decode(second.rejected_ids) == "b<|end|>"
    assert third == second
    assert first.longest == len(first.prompt_ids) + 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", ":2: not JSON"),
        ("[]", ":2: should be a JSON object"),
        ('{"prompt": "a", "rejected": "b"}', ":2: chosen: should be a text"),
        ('{"prompt": "a", "chosen": "b", "rejected": ""}', ":2: rejected: should be a text"),
        ('{"prompt": "a", "chosen": "b", "rejected": "b"}', ":2: chosen and rejected are the same"),
        ('{"prompt": 1, "chosen": "a", "rejected": "b"}', ":2: prompt: should be a text"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, tokenizer: Any, line: str, says: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n' + line)
    with pytest.raises(RowError, match=f"pairs.jsonl{says}"):
        read([source(path)], 0, tokenizer)


def test_files_that_have_none(tmp_path: Path, tokenizer: Any) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(RowError, match="there are no rows in it"):
        read([source(tmp_path / "empty.jsonl")], 0, tokenizer)
    with pytest.raises(RowError, match="No such file"):
        read([source(tmp_path / "none.jsonl")], 0, tokenizer)


def test_a_right_and_a_wrong_one_pair() -> None:
    questions = [Practice(f"{i}?", str(i)) for i in range(3)]
    right = [rollout(1, text=f"The answer is {i}.") for i in range(3)]
    wrong, cut = (
        rollout(2, text="The answer is 9."),
        rollout(3, text="The answer is 1.", ended=False),
    )
    groups = [[right[0], wrong], [cut, right[1], right[1]], [right[2], right[2]]]
    found = list(paired(questions, groups, "answer", random.Random(0)))
    assert [(pair.chosen_ids, pair.rejected_ids) for pair in found] == [([1], [2]), ([1], [3])]
