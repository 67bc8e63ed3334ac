"""Tasks are read, and bad lines are named."""

from pathlib import Path

import pytest

from training.evaluate.tasks import TaskError, load

GSM8K = Path(__file__).parents[3].parent / "shared" / "data" / "gsm8k" / "test.jsonl"


def test_the_world_is_a_task() -> None:
    questions = load("world", 50)
    assert [question.number for question in questions] == list(range(50))
    assert questions == load("world", 50)
    assert {q.text for q in questions}.isdisjoint({q.text for q in load("world", 50, "dev")})


@pytest.mark.skipif(not GSM8K.exists(), reason=f"GSM8K is not at {GSM8K}")
def test_gsm8k_is_a_task() -> None:
    first, *rest = load(str(GSM8K), 100)
    assert first.text.startswith("Janet")
    assert (first.answer, len(rest)) == ("18", 99)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    path.write_text('{"question": "1+1?", "answer": 2}\n{"question": "2+2?"}\n')
    with pytest.raises(TaskError, match=r"task\.jsonl:2: should be a JSON object with question"):
        load(str(path), 10)


def test_an_unknown_task() -> None:
    with pytest.raises(TaskError, match="not one of world, world-unseen, world-longer"):
        load("riddles", 10)
