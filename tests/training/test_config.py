"""The recipes that ship can be read, and mistakes are named with file, line and field."""

import json
from contextlib import chdir
from pathlib import Path

import pytest

from training.config import RecipeError, base_of, load_recipe
from training.stages import RlStage

RECIPES = sorted((Path(__file__).parents[2] / "training" / "recipes").glob("*.toml"))
MINI = next(path for path in RECIPES if path.stem == "mini")
TOKENS = next(path for path in RECIPES if path.stem == "mini-tokens")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_valid(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def test_overrides_replace_what_the_file_says() -> None:
    found = load_recipe(MINI, {"run.seed": 7, "rlvr.steps": 3, "families.letters": 0.5})
    assert found.run.seed == 7
    assert found.families["letters"] == 0.5
    last = found.stages[-1]
    assert isinstance(last, RlStage)
    assert last.steps == 3


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("rlvr.stepps", 3, r"stages\.4\.stepps: Extra inputs"),
        ("rlvr.steps", 0, r"stages\.4\.steps: .*greater than 0"),
        ("grpo.steps", 3, r"grpo\.steps: .*has no stage 'grpo', nor is it one of its tables"),
        ("steps", 3, r"steps: should be table\.option, or stage\.option"),
    ],
)
def test_overrides_that_cannot_be_are_named(place: str, value: object, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load_recipe(MINI, {place: value})


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("layers = 4", "layers = 0", r"bad\.toml:\d+: model\.layers: .*greater than 0"),
        ("layers = 4", "layer = 4", r"bad\.toml: model\.layers: Field required"),
        ('kind = "sft"', 'kind = "stf"', r"bad\.toml:\d+: stages\.2\.kind: .*'sft'"),
        ("letters = 0.17", "riddles = 1.0", r"bad\.toml:\d+: families\.riddles: unknown"),
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


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ('control = "tokens"', 'control = "words"', r":\d+: stages\.0\.control: .*'tokens'"),
        ('kind = "sft"', 'kind = "midtrain"', r":\d+: stages\.0\.control: .*of kind \"sft\""),
        ("cut = 0.12", "plain = 0.5", r":\d+: stages\.0\.control: .*set mix\.plain to 0"),
        ('base = "', 'base = "none/', r":\d+: base: there is no checkpoint in .*none"),
        ('base = "', "# ", r"bad\.toml: say either base.* or \[model\]"),
        (
            "[run]",
            "[model]\n" + MINI.read_text().split("[model]\n")[1].split("[run]")[0] + "[run]",
            r"bad\.toml: say either base.* or \[model\]",
        ),
    ],
)
def test_mistakes_of_controls_and_bases_are_named(
    tmp_path: Path, was: str, becomes: str, message: str
) -> None:
    path = tmp_path / "bad.toml"
    base = f'base = "{base_of(load_recipe(TOKENS), TOKENS)}"'
    text = TOKENS.read_text().replace('base = "../released/bide-mini"', base)
    assert was in text
    path.write_text(text.replace(was, becomes))
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"kind": "rlvr"}, r"stages\.0\.steps: Field required"),
        ({"kind": "rlvr", "steps": 3, "reward": "best"}, r"stages\.0\.reward: .*'majority'"),
        ({"kind": "rlvr", "steps": 3, "kl_in": "reward"}, r"stages\.0\.kl_in: .*only PPO"),
        ({"kind": "rlvr", "steps": 3, "value_from": "x"}, r"stages\.0\.value_from: .*only PPO"),
        (
            {"kind": "rlvr", "steps": 3, "servers": ["http://x"]},
            r"stages\.0\.registry: .*servers load from a registry",
        ),
        ({"kind": "dpo", "margin": 0.5}, r"stages\.0\.margin: .*only the loss simpo"),
        ({"kind": "dpo", "losses": "simpo"}, r"stages\.0\.losses: Extra inputs"),
    ],
)
def test_mistakes_of_later_stages_are_named(
    tmp_path: Path, stage: dict[str, object], message: str
) -> None:
    path = tmp_path / "bad.toml"
    fields = {"name": "last", **stage}
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    base = base_of(load_recipe(TOKENS), TOKENS)
    path.write_text("\n".join(['name = "bad"', f'base = "{base}"', "[[stages]]", *lines]))
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_fresh_weights_have_nothing_to_prefer(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    text = MINI.read_text().split("[[stages]]")[0]
    path.write_text(f'{text}\n[[stages]]\nname = "dpo"\nkind = "dpo"\n')
    with pytest.raises(RecipeError, match=r"stages\.0\.kind: dpo needs a base to start from"):
        load_recipe(path)


def test_a_base_is_looked_for_beside_the_recipe_then_where_one_stands(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    path = tmp_path / "recipe.toml"
    text = TOKENS.read_text()
    path.write_text(text.replace("../released/bide-mini", "checkpoint"))
    assert base_of(load_recipe(path), path) == checkpoint
    with chdir(tmp_path / "checkpoint"):
        path.write_text(text.replace("../released/bide-mini", "../checkpoint"))
        found = base_of(load_recipe(path), path)
    assert found is not None
    assert found.resolve() == checkpoint


def test_a_recipe_from_scratch_has_no_base() -> None:
    assert base_of(load_recipe(MINI), MINI) is None
