"""Fine-tuning on TRL: packed or not, the same loss; what is cut is counted; it learns."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import model
from training.config import Recipe
from training.data.sources import RowError
from training.finetuning import Report, run_stage, sequences
from training.registry import Registry
from training.stages import ConversationStage

pytestmark = [
    pytest.mark.filterwarnings("ignore:TRL currently supports vLLM:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]

ROWS = [{"question": f"{n}+1?", "thought": "Hm. " * n, "answer": str(n + 1)} for n in range(1, 9)]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return small_tokenizer()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def recipe(data: Path, **stage: Any) -> tuple[Recipe, ConversationStage]:
    made = Recipe.model_validate(
        {
            "name": "small",
            "base": ".",
            "stages": [
                {"name": "tune", "kind": "sft", "data": str(data), "longest": 128, "batch": 8}
                | {"learning_rate": 1e-2, "warmup": 0.0, "micro_batch": 8}
                | stage
            ],
        }
    )
    (only,) = made.stages
    assert isinstance(only, ConversationStage)
    return made, only


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_packed_rows_do_not_see_each_other(data: Path, tmp_path: Path, tokenizer: Any) -> None:
    """Eight rows alone, or two to four in a sequence: one batch of the same loss tokens."""
    found = []
    for packing, name in ((False, "alone"), (True, "packed")):
        made, stage = recipe(data, packing=packing, epochs=1)
        run_stage(made, stage, tmp_path / name, model(0), tokenizer)
        found.append(losses(tmp_path / name))
    alone, packed = found
    assert packed == pytest.approx(alone, rel=1e-5)


def test_it_learns_and_leaves_a_checkpoint(data: Path, tmp_path: Path, tokenizer: Any) -> None:
    made, stage = recipe(data, epochs=12, longest=64, lora={"rank": 8, "alpha": 16})
    said = run_stage(made, stage, tmp_path / "tune", model(0), tokenizer)
    assert said.startswith("tune: 12 updates on 8 rows, 8 sequences of ")
    course = losses(tmp_path / "tune")
    assert course[-1] < course[0]
    trained = type(model(0)).from_pretrained(tmp_path / "tune" / "model", dtype=torch.float32)
    assert not any("lora" in name for name, _ in trained.named_parameters())
    assert {path.name for path in (tmp_path / "tune").iterdir()} >= {"curves.svg", "tensorboard"}


def test_an_adapter_is_left_beside_the_weights_it_is_merged_into(
    data: Path, tmp_path: Path, tokenizer: Any
) -> None:
    made, stage = recipe(data, epochs=2, longest=64, lora={"rank": 8, "alpha": 16})
    run_stage(made, stage, tmp_path / "tune", model(0), tokenizer)
    published = Registry(tmp_path / "registry").publish(tmp_path / "tune" / "adapter", "tuned")
    assert published.is_adapter
    adapted = PeftModel.from_pretrained(model(0), str(published.folder)).merge_and_unload()
    merged = type(model(0)).from_pretrained(tmp_path / "tune" / "model", dtype=torch.float32)
    for (name, ours), theirs in zip(adapted.named_parameters(), merged.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_what_is_cut_is_counted(data: Path, tokenizer: Any) -> None:
    report = Report()
    made, stage = recipe(data, longest=24)
    found = list(sequences(made, stage, tokenizer, report))
    assert report.cut > 0
    assert report.lost > 0
    assert report.sequences == len(found)
    assert max(len(each.ids) for each in found) == 24


def test_nothing_left_to_learn_is_an_error(data: Path, tmp_path: Path, tokenizer: Any) -> None:
    made, stage = recipe(data, longest=4)
    with pytest.raises(RowError, match="nothing is left to learn: 8 rows, 0 sequences"):
        run_stage(made, stage, tmp_path / "none", model(0), tokenizer)
