"""Recipes: what a TOML file may say, and errors that name the file, the line and the field."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from training.verifiers import VERIFIERS
from training.world.families import DEFAULT_MIX, FAMILIES
from training.world.trace import Habits


class RecipeError(ValueError):
    """A recipe that cannot be run; the message names file, line and field."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelShape(Section):
    """The shape of a Qwen3 model (pre-norm, QK-norm, SwiGLU, rotary, tied embeddings)."""

    hidden_size: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    kv_heads: PositiveInt
    head_size: PositiveInt
    feed_forward: PositiveInt
    context: PositiveInt = 2048


class Mix(Section):
    """What a stage reads. Shares of documents; what is left of 1 is traces in full."""

    plain: float = Field(0.0, ge=0, le=1, description="worked examples without roles or markers")
    no_thinking: float = Field(0.05, ge=0, le=1, description="conversations answered at once")
    cut: float = Field(0.12, ge=0, le=1, description="thinking cut at random, as by a budget")
    hard: float = Field(0.0, ge=0, description="tilt of the levels towards the hard ones")


class Stage(Section):
    """One stage of the pipeline. Tokens count padding too."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    kind: Literal["pretrain", "midtrain", "sft"]
    tokens: PositiveInt
    matrix_learning_rate: PositiveFloat = Field(description="Muon, for the weight matrices")
    learning_rate: PositiveFloat = Field(description="AdamW, for embeddings and norms")
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the steps")
    final: float = Field(0.0, ge=0, le=1, description="share of the peak rate at the end")
    weight_decay: float = Field(0.02, ge=0)
    clip: PositiveFloat = 1.0
    mix: Mix = Mix()
    families: dict[str, PositiveFloat] | None = Field(None, description="instead of the recipe's")
    habits: Habits | None = Field(None, description="instead of the recipe's")
    control: Literal["tokens", "steps"] | None = Field(
        None, description="prompts ask for the length that the thinking has, in this unit"
    )

    @field_validator("control")
    @classmethod
    def _of_conversations(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("kind") != "sft":
            raise ValueError('only a stage of kind "sft" can ask for a length')
        mix = info.data.get("mix")
        if value is not None and mix is not None and mix.plain:
            raise ValueError("plain pages have no prompt that could ask: set mix.plain to 0")
        return value


class Practised(Section):
    """A stage that learns from completions of its own, which servers draw and a verifier judges."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    task: Path | None = Field(None, description="JSONL of question and answer; default: the world")
    families: dict[str, PositiveFloat] | None = Field(None, description="instead of the recipe's")
    hard: float = Field(0.0, ge=0, description="tilt of the levels towards the hard ones")
    verifier: str = Field("answer", description="a name of training/verifiers")
    temperature: PositiveFloat = 1.0
    max_tokens: PositiveInt = 640
    thinking: dict[str, int | float | str] = Field({}, description="of each request")
    servers: tuple[str, ...] = Field((), description="URLs; default: one is started")
    registry: Path | None = Field(
        None, description="the servers'; default: the stage's own", validate_default=True
    )

    @field_validator("registry")
    @classmethod
    def _shared(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and info.data.get("servers"):
            raise ValueError("servers load from a registry: say which they were started with")
        return value


class RlStage(Practised):
    """Reinforcement learning with verifiable rewards. Defaults: what current practice has in common
    (DAPO, Dr. GRPO, Tülu 3.1, OLMo 2), at the size of the mini world."""

    kind: Literal["rlvr"]
    algorithm: Literal["grpo", "ppo"] = "grpo"
    steps: PositiveInt
    prompts: PositiveInt = Field(32, description="groups a step that teach something")
    group: int = Field(8, ge=2, description="completions of a prompt")
    refills: int = Field(1, ge=0, description="rounds that replace groups that teach nothing")
    overlap: bool = Field(True, description="draw the next batch while learning from this one")

    reward: Literal["verified", "random", "format", "wrong-label", "majority"] = Field(
        "verified", description="the verifier's, or a control of 'Spurious Rewards'"
    )
    scale: PositiveFloat = Field(1.0, description="of the score; Tülu 3's PPO has 10")
    unended: float = Field(0.0, description="score of what was cut for its length")

    learning_rate: PositiveFloat = 3e-5
    warmup_steps: int = Field(5, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    clip: PositiveFloat = Field(1.0, description="norm of the gradient")
    epochs: PositiveInt = Field(1, description="passes over a batch")
    minibatches: PositiveInt = Field(1, description="updates a pass")
    clip_low: PositiveFloat = 0.2
    clip_high: PositiveFloat = 0.272
    aggregation: Literal["token-mean", "sequence-mean", "constant"] = "token-mean"
    divide_by_std: bool = Field(False, description="GRPO: scores by their group's deviation")
    kl: float = Field(0.0, ge=0, description="coefficient of the KL to the stage's base")
    kl_in: Literal["loss", "reward"] = Field("loss", description="GRPO has it in the loss alone")

    discount: float = Field(1.0, gt=0, le=1)
    smoothing: float = Field(0.95, ge=0, le=1, description="PPO: λ of GAE")
    value_learning_rate: PositiveFloat = 1e-4
    value_clip: PositiveFloat = 0.2
    value_warmup: int = Field(5, ge=0, description="PPO: steps in which only the values learn")
    value_from: str | None = Field(
        None, description="PPO: a reward-model stage before, or its folder; default: the base"
    )

    held_out: PositiveInt = Field(200, description="problems of the dev split")
    evaluate_every: PositiveInt = 10

    @model_validator(mode="after")
    def _nothing_is_idle(self) -> Self:
        """Nothing is accepted that would change nothing."""
        of_ppo = ("discount", "smoothing", "value_learning_rate", "value_clip", "value_warmup")
        _refuse_idle(self, self.algorithm == "grpo", "of GRPO", of_ppo)
        of_grpo = ("divide_by_std", "refills")
        _refuse_idle(self, self.algorithm == "ppo", "of PPO", of_grpo)
        _refuse_idle(self, not self.kl, "without kl", ("kl_in",))
        _refuse_idle(self, self.task is not None, "where there is a task", ("families", "hard"))
        return self

    @field_validator("kl_in")
    @classmethod
    def _of_its_algorithm(cls, value: str, info: ValidationInfo) -> str:
        if value == "reward" and info.data.get("algorithm") != "ppo":
            raise ValueError("only PPO has rewards for single tokens")
        return value

    @field_validator("value_from")
    @classmethod
    def _of_ppo(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("algorithm") != "ppo":
            raise ValueError("only PPO has values")
        return value


def _refuse_idle(stage: Practised, is_so: bool, where: str, fields: tuple[str, ...]) -> None:
    for field in fields:
        if is_so and field in stage.model_fields_set:
            raise ValueError(f"{field} changes nothing {where}")


class Lora(Section):
    """Low-rank adapters instead of all weights; merged when the stage is done."""

    rank: PositiveInt = 16
    alpha: PositiveInt = 32
    modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")


class PreferenceStage(Practised):
    """Preferences: pairs of a better and a worse completion, from a file or drawn from the base.

    Defaults of DPO are Tülu 3's (arXiv 2411.15124, table 20) but for what the size asks for.
    """

    kind: Literal["dpo", "reward-model"]
    pairs: Path | None = Field(None, description="JSONL of prompt, chosen and rejected")
    prompts: PositiveInt = Field(1000, description="questions to draw pairs for, without `pairs`")
    samples: int = Field(8, ge=2, description="completions of each; a right and a wrong one pair")

    loss: Literal["length_normalized", "sigmoid", "simpo"] = "length_normalized"
    beta: PositiveFloat = 5.0
    margin: float = Field(0.0, ge=0, description="SimPO's γ, by which the better must be ahead")
    learning_rate: PositiveFloat = 5e-7
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps")
    epochs: PositiveFloat = 1.0
    batch: PositiveInt = Field(32, description="pairs an update")
    micro_batch: PositiveInt = Field(16, description="pairs at once in memory, at most")
    longest: PositiveInt = Field(1024, description="tokens of a prompt and a completion")
    lora: Lora | None = None
    save_every: PositiveInt = Field(50, description="updates")

    @model_validator(mode="after")
    def _nothing_is_idle(self) -> Self:
        """Nothing is accepted that would change nothing."""
        _refuse_idle(self, self.kind == "reward-model", "of a reward model", ("loss", "beta"))
        drawn = (
            *("task", "families", "hard", "verifier", "temperature", "max_tokens", "thinking"),
            *("servers", "registry", "prompts", "samples"),
        )
        _refuse_idle(self, self.pairs is not None, "where pairs come from a file", drawn)
        return self

    @field_validator("margin")
    @classmethod
    def _of_simpo(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("loss") != "simpo":
            raise ValueError("only the loss simpo has a margin")
        return value


AnyStage = Annotated[Stage | RlStage | PreferenceStage, Discriminator("kind")]


class Batches(Section):
    tokens: PositiveInt = 4096
    lengths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (
        *(96, 144, 224, 320),
        *(448, 640, 896),
    )
    """A document is padded to the shortest of these that holds it; a batch is of one length."""


class Run(Section):
    seed: int = 0
    threads: PositiveInt | None = Field(None, description="default: all cores")
    compile: bool = True
    save_every: PositiveInt = Field(500, description="steps")
    log_every: PositiveInt = Field(20, description="steps")


class Recipe(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    base: Path | None = Field(None, description="the checkpoint folder that the first stage trains")
    model: ModelShape | None = Field(None, description="fresh weights, instead of a base")
    families: dict[str, PositiveFloat] = dict(DEFAULT_MIX)
    habits: Habits = Habits()
    batches: Batches = Batches()
    run: Run = Run()
    stages: Annotated[tuple[AnyStage, ...], Field(min_length=1)]


def load_recipe(path: Path, overrides: dict[str, object] | None = None) -> Recipe:
    """Read and check a recipe; `overrides` replace values of its [run] table.

    Raises RecipeError with one line that says where the mistake is and what would be right.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    data["run"] = {**data.get("run", {}), **(overrides or {})}
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = _place(first["loc"], first["type"])
        field, line = ".".join(place), _line_of(text, place[-1] if place else "")
        raise RecipeError(f"{path}{line}: {field}: {first['msg']}") from error
    _check_order(recipe, path, text)
    _check_names(recipe, path, text)
    if (recipe.model is None) == (recipe.base is None):
        raise RecipeError(f"{path}: say either base, a checkpoint to go on from, or [model]")
    base_of(recipe, path)
    _check_families(recipe, path, text)
    return recipe


def _place(loc: tuple[int | str, ...], kind: str) -> list[str]:
    """Of a mistake, as the file has it: pydantic names a stage's kind behind its number."""
    place = [str(part) for part in loc]
    if place[:1] == ["stages"] and len(place) > 2:
        del place[2]
    return [*place, "kind"] if kind.startswith("union_tag") else place


def base_of(recipe: Recipe, path: Path) -> Path | None:
    """The folder that `base` means: from the recipe's own folder, else from the working directory.

    Raises RecipeError if there is no checkpoint in either.
    """
    if recipe.base is None:
        return None
    candidates = [path.parent / recipe.base, Path.cwd() / recipe.base]
    for folder in candidates:
        if (folder / "config.json").is_file():
            return folder
    line = _line_of(path.read_text(encoding="utf-8"), "base")
    places = " nor in ".join(dict.fromkeys(str(folder) for folder in candidates))
    raise RecipeError(f"{path}{line}: base: there is no checkpoint in {places}")


def _check_order(recipe: Recipe, path: Path, text: str) -> None:
    """Fresh weights have nothing to prefer, and no answers to be rewarded for."""
    first = recipe.stages[0]
    if recipe.model is not None and not isinstance(first, Stage):
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
        if judge is not None and judge not in judges and not Path(judge).is_dir():
            field = f"stages.{number}.value_from"
            message = f"there is no reward-model stage before it, nor a folder, {judge}"
            raise RecipeError(f"{path}{_line_of(text, 'value_from')}: {field}: {message}")
        if isinstance(stage, PreferenceStage) and stage.kind == "reward-model":
            judges.append(stage.name)


def _check_families(recipe: Recipe, path: Path, text: str) -> None:
    named = [recipe.families, *(stage.families or {} for stage in recipe.stages)]
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
