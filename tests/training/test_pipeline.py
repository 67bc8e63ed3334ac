"""A recipe with a base goes on from its weights and its tokenizer."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, Qwen3ForCausalLM

from decoding import reflection
from server.engine.prompt import TokenizerCodec
from tests.tokenizer import small_tokenizer
from training.config import ModelShape, Recipe
from training.data.sources import RowError
from training.model import new_model
from training.pipeline import run

SHAPE = ModelShape(hidden_size=16, layers=1, heads=2, kv_heads=1, head_size=8, feed_forward=16)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A checkpoint that no seed of a recipe would give, with a word in its template."""
    tokenizer = small_tokenizer()
    tokenizer.chat_template += "{# of the base #}"
    folder = tmp_path / "base"
    new_model(SHAPE, tokenizer, seed=99).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def recipe(base: Path) -> Recipe:
    """One step at rates too low to be seen."""
    return Recipe.model_validate(
        {
            "name": "onward",
            "base": str(base),
            "batches": {"tokens": 896, "lengths": [896]},
            "run": {"compile": False, "threads": 1},
            "stages": [
                {
                    "name": "sft",
                    "kind": "sft",
                    "control": "tokens",
                    "tokens": 896,
                    "matrix_learning_rate": 1e-9,
                    "learning_rate": 1e-9,
                    "weight_decay": 0,
                }
            ],
        }
    )


def weights(folder: Path) -> torch.Tensor:
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_first_stage_goes_on_from_the_base(base: Path, tmp_path: Path) -> None:
    finished = run(recipe(base), tmp_path / "run", base)
    before, after = weights(base), weights(finished)
    assert not torch.equal(before, after)
    assert torch.allclose(before, after, atol=1e-6)
    assert AutoTokenizer.from_pretrained(finished).chat_template.endswith("{# of the base #}")


@pytest.mark.parametrize(
    ("stage", "row", "says"),
    [
        ({"kind": "midtrain", "tokens": 64, "data": "FILE"}, {"txt": ""}, "text: should be a text"),
        ({"kind": "sft", "data": "FILE"}, {"question": "1"}, "answer: should be a text"),
        ({"kind": "dpo", "pairs": "FILE"}, {"prompt": "1"}, "chosen: should be a text"),
        ({"kind": "rlvr", "steps": 1, "task": "FILE"}, {"question": "1"}, "answer: should be a"),
        (
            {"kind": "rlvr", "steps": 1, "task": "FILE"},
            {"question": "1", "answer": "2", "verifier": "gsm9k"},
            "verifier: no 'gsm9k', only ",
        ),
    ],
)
def test_rows_of_the_last_stage_are_looked_at_before_the_first(
    base: Path, tmp_path: Path, stage: dict[str, object], row: dict[str, str], says: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    last = {"name": "last", "learning_rate": 1e-3, **stage}
    last = {name: str(path) if value == "FILE" else value for name, value in last.items()}
    made = recipe(base).model_dump(mode="json", exclude_unset=True)
    made["stages"].append(last)
    with pytest.raises(RowError, match=rf"rows\.jsonl:1: {says}"):
        run(Recipe.model_validate(made), tmp_path / "run", base)
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:TRL currently supports vLLM:UserWarning")
@pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
def test_a_stage_of_reflections_adds_their_tokens(base: Path, tmp_path: Path) -> None:
    said = "[Retrieval]<paragraph>Of Ulm.</paragraph>[Relevant]It is. [Fully supported][Utility:5]"
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "What?", "answer": said}) + "\n")
    made = recipe(base).model_dump(mode="json", exclude_unset=True)
    stage = {"name": "sft", "kind": "sft", "data": str(path), "longest": 128, "batch": 1}
    made["stages"] = [{**stage, "learning_rate": 1e-3, "reflection": True}]
    finished = run(Recipe.model_validate(made), tmp_path / "run", base)
    tokenizer = AutoTokenizer.from_pretrained(finished)
    assert reflection.resolve(TokenizerCodec(tokenizer)) is not None
    assert Qwen3ForCausalLM.from_pretrained(finished).config.vocab_size == len(tokenizer)
