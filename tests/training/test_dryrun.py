"""The recipes that ship are what was published, as far as arithmetic tells."""

import re
from pathlib import Path

import pytest

from training.config import RecipeError, load_recipe
from training.dryrun import describe, measured, plan
from training.stages import RlStage

RECIPES = Path(__file__).parents[2] / "training" / "recipes"

PUBLISHED = {
    "s1-32b": (32.8e9, {"sft": 315}),
    "tulu3-8b": (8.03e9, {"sft": 14_678, "dpo": 2_121}),
    "tulu3-70b": (70.6e9, {"sft": 14_678, "dpo": 2_613}),
    "olmo2-1b": (1.48e9, {"pretrain": 1_907_348, "midtrain": 23_841, "sft": 13_534}),
    "olmo2-7b": (7.30e9, {"pretrain": 928_878, "midtrain": 11_920, "sft": 14_674}),
}
"""Parameters of the model cards; updates from rows or tokens, epochs and batch."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_recipes(name: str) -> None:
    path = RECIPES / f"{name}.toml"
    recipe = load_recipe(path)
    parameters, updates = PUBLISHED[name]
    sizes = measured(recipe, path)
    assert sizes.parameters == pytest.approx(parameters, rel=0.005)
    plans = {stage.name: plan(stage, recipe, sizes, 64) for stage in recipe.stages}
    assert {each: plans[each].updates for each in updates} == updates
    assert all(each.memory < 141e9 for each in plans.values())


def test_what_is_printed() -> None:
    path = RECIPES / "tulu3-8b.toml"
    text = "\n".join(describe(load_recipe(path), path))
    assert "8.03 B parameters, on 8 x 8 GPUs" in text
    assert re.search(r"sft \(sft\) +14,678 updates +7\.70 B at most +\d+\.\d GiB", text)
    assert "torchrun --nnodes 8 --nproc-per-node 8" in text
    assert "first, for rlvr: bide serve --registry checkpoints" in text


def test_the_mini_recipe_is_of_one_process() -> None:
    path = RECIPES / "mini.toml"
    assert f"launch: bide train {path}" in list(describe(load_recipe(path), path))


def test_a_base_in_a_folder_is_measured() -> None:
    path = RECIPES / "mini-rlvr.toml"
    recipe = load_recipe(path)
    assert isinstance(recipe.stages[0], RlStage)
    assert measured(recipe, path).parameters == 926_336


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    text = (RECIPES / "s1-32b.toml").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("batch = 16", "batch = 20"))
    with pytest.raises(RecipeError, match="sft: a batch of 20 is not shared evenly by 16"):
        list(describe(load_recipe(path), path))
    path.write_text(re.sub(r"\[model\].*?\n\n", "", text, flags=re.DOTALL))
    with pytest.raises(RecipeError, match=r"say in \[model\] what hf:Qwen/Qwen2"):
        list(describe(load_recipe(path), path))
