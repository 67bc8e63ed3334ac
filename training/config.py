"""Recipes: what a TOML file may say, and errors that name the file, the line and the field."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError

from training.hub import HUB, fetched
from training.stages import (
    AnyStage,
    DataStage,
    Practised,
    PreferenceStage,
    RlStage,
    Section,
    Stage,
)
from training.verifiers import VERIFIERS
from training.world.families import DEFAULT_MIX, FAMILIES
from training.world.trace import Habits


class RecipeError(ValueError):
    """A recipe that cannot be run; the message names file, line and field."""


TABLES = ("run", "batches", "model", "families", "habits")
Architecture = Literal["qwen3", "qwen2", "llama", "olmo2"]


class ModelShape(Section):
    """The shape of a dense decoder (rotary, SwiGLU); what else there is, its architecture says."""

    architecture: Architecture = "qwen3"
    hidden_size: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    kv_heads: PositiveInt
    head_size: PositiveInt
    feed_forward: PositiveInt
    context: PositiveInt = 2048
    vocabulary: PositiveInt | None = Field(None, description="default: the tokenizer's")
    tied: bool = Field(True, description="one matrix for tokens read and written")
    rope_theta: PositiveFloat = 10_000.0
    norm_eps: PositiveFloat = 1e-6


class Batches(Section):
    tokens: PositiveInt = 4096
    lengths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (
        *(96, 144, 224, 320),
        *(448, 640, 896),
    )
    """A document is padded to the shortest of these that holds it; a batch is of one length."""
    pieces: PositiveInt = Field(1, description="batches an update, which processes share")


class Run(Section):
    seed: int = 0
    threads: PositiveInt | None = Field(None, description="default: all cores")
    compile: bool = True
    save_every: PositiveInt = Field(500, description="steps")
    log_every: PositiveInt = Field(20, description="steps")
    nodes: PositiveInt = Field(1, description="machines; for the launch command of a dry run")
    gpus: int = Field(0, ge=0, description="of each machine; 0: the CPU")


class Recipe(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    base: str | None = Field(
        None, description="that the first stage trains: a checkpoint's folder, or hf:owner/name"
    )
    model: ModelShape | None = Field(
        None, description="fresh weights instead of a base; or what a base of the hub is"
    )
    tokenizer: str | None = Field(
        None, description="of fresh weights: a folder, or hf:owner/name; default: the mini world's"
    )
    chat_template: str | None = Field(None, description="instead of the tokenizer's")
    families: dict[str, PositiveFloat] = Field(default_factory=lambda: dict(DEFAULT_MIX))
    habits: Habits = Habits()
    batches: Batches = Batches()
    run: Run = Run()
    stages: Annotated[tuple[AnyStage, ...], Field(min_length=1)]


def load_recipe(path: Path, overrides: Mapping[str, object] | None = None) -> Recipe:
    """Read and check a recipe. overrides: values by "table.option", or "stage.option" of a stage's
    name, instead of the file's.

    Raises RecipeError with one line that says where the mistake is and what would be right.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    for option, value in (overrides or {}).items():
        _override(data, option, value, path)
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = _place(first["loc"], first["type"])
        field, line = ".".join(place), _line_of(text, place[-1] if place else "")
        raise RecipeError(f"{path}{line}: {field}: {first['msg']}") from error
    _check_order(recipe, path, text)
    _check_names(recipe, path, text)
    _check_sizes(recipe, path, text)
    _check_weights(recipe, path, text)
    _check_families(recipe, path, text)
    return recipe


def _override(data: dict[str, Any], place: str, value: object, path: Path) -> None:
    """Raises RecipeError for a place that is none."""
    table, dot, option = place.partition(".")
    stages = data.get("stages", [])
    stages = stages if isinstance(stages, list) else []
    named = [stage for stage in stages if isinstance(stage, dict) and stage.get("name") == table]
    if not dot or not option:
        raise RecipeError(f"{place}: should be table.option, or stage.option")
    if table in TABLES:
        if not isinstance(data.setdefault(table, {}), dict):
            raise RecipeError(f"{path}: {table}: should be a table")
        data[table][option] = value
    elif named:
        named[0][option] = value
    else:
        raise RecipeError(f"{place}: {path} has no stage {table!r}, nor is it one of its tables")


def _place(loc: tuple[int | str, ...], kind: str) -> list[str]:
    """Of a mistake, as the file has it: pydantic names a stage's kind behind its number."""
    place = [str(part) for part in loc]
    if place[:1] == ["stages"] and len(place) > 2:
        del place[2]
    return [*place, "kind"] if kind.startswith("union_tag") else place


def base_of(recipe: Recipe, path: Path) -> Path | None:
    """The folder that `base` means, fetched from the hub where it is of the hub.

    Raises RecipeError if there is no checkpoint in it.
    """
    return None if recipe.base is None else folder_of(recipe.base, path, "base", "config.json")


def tokenizer_of(recipe: Recipe, path: Path) -> Path | None:
    """As base_of, of fresh weights' tokenizer; None for the mini world's."""
    named = recipe.tokenizer
    return None if named is None else folder_of(named, path, "tokenizer", "tokenizer.json")


def folder_of(named: str, path: Path, field: str, holds: str) -> Path:
    """From the recipe's own folder, else from the working directory, else from the hub.

    Raises RecipeError where there is none that holds a file of that name, and HubError.
    """
    if named.startswith(HUB):
        return fetched(named)
    candidates = [path.parent / named, Path.cwd() / named]
    for folder in candidates:
        if (folder / holds).is_file():
            return folder
    line = _line_of(path.read_text(encoding="utf-8"), field)
    places = " nor in ".join(dict.fromkeys(str(folder) for folder in candidates))
    what = "checkpoint" if field == "base" else field
    raise RecipeError(f"{path}{line}: {field}: there is no {what} in {places}")


def _check_weights(recipe: Recipe, path: Path, text: str) -> None:
    """Where they come from; what is on the hub is looked for when it is needed."""
    of_hub = recipe.base is not None and recipe.base.startswith(HUB)
    if (recipe.model is None) == (recipe.base is None) and not of_hub:
        raise RecipeError(f"{path}: say either base, a checkpoint to go on from, or [model]")
    if recipe.tokenizer is not None and recipe.base is not None:
        line = _line_of(text, "tokenizer")
        raise RecipeError(f"{path}{line}: tokenizer: a base has its own: say one of them")
    if recipe.base is not None and not of_hub:
        base_of(recipe, path)
    if recipe.tokenizer is not None and not recipe.tokenizer.startswith(HUB):
        tokenizer_of(recipe, path)


def _check_order(recipe: Recipe, path: Path, text: str) -> None:
    """Fresh weights have nothing to prefer, and no answers to be rewarded for."""
    first = recipe.stages[0]
    if recipe.base is None and not isinstance(first, Stage | DataStage):
        line = _line_of(text, "kind")
        raise RecipeError(f"{path}{line}: stages.0.kind: {first.kind} needs a base to start from")


def _check_names(recipe: Recipe, path: Path, text: str) -> None:
    """Of stages, which folders are called by; of verifiers; of judges that values start from."""
    judges: list[str] = []
    for number, stage in enumerate(recipe.stages):
        if stage.name in [each.name for each in recipe.stages[:number]]:
            raise RecipeError(f"{path}: stages.{number}.name: there is another {stage.name!r}")
        if isinstance(stage, Practised) and stage.verifier not in VERIFIERS:
            line, known = _line_of(text, "verifier"), ", ".join(sorted(VERIFIERS))
            field = f"stages.{number}.verifier"
            raise RecipeError(f"{path}{line}: {field}: no {stage.verifier!r}, only {known}")
        judge = stage.value_from if isinstance(stage, RlStage) else None
        elsewhere = judge is not None and (judge.startswith(HUB) or Path(judge).is_dir())
        if judge is not None and judge not in judges and not elsewhere:
            field = f"stages.{number}.value_from"
            message = f"there is no reward-model stage before it, nor a folder, {judge}"
            raise RecipeError(f"{path}{_line_of(text, 'value_from')}: {field}: {message}")
        if isinstance(stage, PreferenceStage) and stage.kind == "reward-model":
            judges.append(stage.name)


def _check_sizes(recipe: Recipe, path: Path, text: str) -> None:
    """Of stages, in tokens, beside those of the batches."""
    for number, stage in enumerate(recipe.stages):
        whole = recipe.batches.tokens * recipe.batches.pieces
        if isinstance(stage, Stage) and stage.tokens < whole:
            field = f"stages.{number}.tokens"
            message = f"{stage.tokens} is less than one update's, {whole}"
            raise RecipeError(f"{path}{_line_of(text, 'tokens')}: {field}: {message}")
        if isinstance(stage, RlStage) and stage.max_tokens >= recipe.batches.lengths[-1]:
            field = f"stages.{number}.max_tokens"
            raise RecipeError(
                f"{path}{_line_of(text, 'max_tokens')}: {field}: {stage.max_tokens} leaves no room "
                f"for a prompt in the longest of batches.lengths, {recipe.batches.lengths[-1]}"
            )


def _check_families(recipe: Recipe, path: Path, text: str) -> None:
    of_stages = [
        stage.families or {} for stage in recipe.stages if not isinstance(stage, DataStage)
    ]
    named = [recipe.families, *of_stages]
    unknown = sorted({name for families in named for name in families} - FAMILIES.keys())
    if unknown:
        known = ", ".join(FAMILIES)
        line = _line_of(text, unknown[0])
        raise RecipeError(f"{path}{line}: families.{unknown[0]}: unknown; there are {known}")


def _line_of(text: str, key: str) -> str:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.split("=")[0].strip() == key:
            return f":{number}"
    return ""
