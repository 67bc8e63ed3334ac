"""The recipes that ship can be read, and mistakes are named with file, line and field."""

from pathlib import Path

import pytest

from training.config import RecipeError, load_recipe

RECIPES = sorted((Path(__file__).parents[2] / "training" / "recipes").glob("*.toml"))
MINI = next(path for path in RECIPES if path.stem == "mini")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_valid(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def test_overrides_replace_the_run_table() -> None:
    assert load_recipe(MINI, {"seed": 7}).run.seed == 7


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("layers = 4", "layers = 0", r"bad\.toml:\d+: model\.layers: .*greater than 0"),
        ("layers = 4", "layer = 4", r"bad\.toml: model\.layers: Field required"),
        ('kind = "sft"', 'kind = "stf"', r"bad\.toml:\d+: stages\.2\.kind: .*'sft'"),
        ("[run]", "[families]\nriddles = 1.0\n[run]", r"bad\.toml:\d+: families\.riddles: unknown"),
        ("seed = 0", "seed = ", r"bad\.toml: not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, was: str, becomes: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(MINI.read_text().replace(was, becomes))
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe(tmp_path / "none.toml")
