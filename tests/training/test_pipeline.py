"""A recipe with a base goes on from its weights and its tokenizer."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, Qwen3ForCausalLM

from tests.tokenizer import small_tokenizer
from training.config import ModelShape, Recipe
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
            "base": base,
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
