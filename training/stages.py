"""What a stage of a recipe may say, for each kind of stage."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from training.world.trace import Habits


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mix(Section):
    """What a stage reads. Shares of documents; what is left of 1 is traces in full."""

    plain: float = Field(0.0, ge=0, le=1, description="worked examples without roles or markers")
    no_thinking: float = Field(0.05, ge=0, le=1, description="conversations answered at once")
    cut: float = Field(0.12, ge=0, le=1, description="thinking cut at random, as by a budget")
    ledgers: float = Field(0.0, ge=0, le=1, description="facts, and questions on them")
    lookups: float = Field(
        0.0, ge=0, le=1, description="questions on passages, with reflection tokens"
    )
    self_contained: float = Field(
        0.0, ge=0, le=1, description="questions that need none, answered at once with such tokens"
    )
    hard: float = Field(0.0, ge=0, description="tilt of the levels towards the hard ones")


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class Stage(Section):
    """Reads the mini world. Tokens count padding too."""

    name: Name
    kind: Literal["pretrain", "midtrain", "sft"]
    tokens: PositiveInt
    matrix_learning_rate: PositiveFloat | None = Field(
        None, description="Muon, for the weight matrices; default: AdamW for them too"
    )
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


class Lora(Section):
    """Low-rank adapters instead of all weights; merged when the stage is done."""

    rank: PositiveInt = 16
    alpha: PositiveInt = 32
    modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")


FILES = (".jsonl", ".json")
"""Suffixes of files of rows: one JSON object a line."""


class Source(Section):
    """Rows of a mix: all of them, or so many, or a fraction, as is said. In open-instruct 1.0 meant
    all and 1 one row; here they are two fields."""

    path: str = Field(description="a JSONL file, or a data set of the Hugging Face hub")
    subset: str | None = None
    split: str = "train"
    rows: PositiveInt | None = Field(None, description="that there are: a dry run reads none")
    count: PositiveInt | None = Field(None, description="rows, drawn without replacement")
    fraction: float | None = Field(None, gt=0, le=1, description="of the rows")
    share: PositiveFloat | None = Field(None, description="of the tokens, where texts are streamed")
    columns: dict[str, str] = Field({}, description="which of its own columns is which of ours")

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.count is not None and self.fraction is not None:
            raise ValueError("say either count or fraction")
        return self

    @model_validator(mode="after")
    def _files_have_no_parts(self) -> Self:
        if Path(self.path).suffix in FILES:
            _refuse_idle(self, True, "of a file", ("subset", "split"))
        return self

    @property
    def used(self) -> int | None:
        """Rows that are trained on, where that is known without reading them."""
        if self.count is not None or self.rows is None:
            return self.count
        return self.rows if self.fraction is None else round(self.rows * self.fraction)


def _listed(given: Any) -> Any:
    """A path stands for a source, and a source for a list of one."""
    several = given if isinstance(given, list | tuple) else [given]
    return [{"path": str(each)} if isinstance(each, str | Path) else each for each in several]


Streams = Annotated[tuple[Source, ...], BeforeValidator(_listed)]


def _read_whole(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    if any(source.share for source in sources):
        raise ValueError("share is of texts, which are streamed; here say count or fraction")
    return sources


Sources = Annotated[Streams, AfterValidator(_read_whole)]


class DataStage(Section):
    """Learns next tokens of rows, on TRL. Defaults: Tülu 3's."""

    name: Name
    batch: PositiveInt = Field(128, description="sequences an update, over all processes")
    micro_batch: PositiveInt = Field(1, description="sequences at once in a process's memory")
    longest: PositiveInt = Field(4096, description="tokens of a sequence")
    learning_rate: PositiveFloat
    schedule: Literal["linear", "cosine"] = "linear"
    final: float = Field(0.0, ge=0, lt=1, description="cosine: share of the peak at the end")
    warmup: float = Field(0.03, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(0.0, ge=0)
    beta2: float = Field(0.999, gt=0, lt=1, description="of AdamW")
    clip: PositiveFloat = Field(1.0, description="norm of the gradient")
    lora: Lora | None = None
    save_every: PositiveInt = Field(500, description="updates")

    @model_validator(mode="after")
    def _nothing_is_idle(self) -> Self:
        _refuse_idle(self, self.schedule == "linear", "of a line to 0", ("final",))
        return self


class ConversationStage(DataStage):
    """Of rows of `messages`, or of `question`, `thought` and `answer`, what the assistant says."""

    kind: Literal["sft"]
    data: Sources = Field(min_length=1)
    epochs: PositiveFloat = 1.0
    packing: bool = Field(True, description="several rows to a sequence, none seeing another")
    thoughts: Literal["bide", "think", "s1"] | None = Field(
        None, description="how they are marked; default: as the tokenizer tells"
    )
    reflection: bool = Field(
        False, description="answers have reflection tokens; what passages say is not learnt"
    )

    @model_validator(mode="after")
    def _learns_new_tokens(self) -> Self:
        if self.reflection and self.lora is not None:
            raise ValueError("lora: the embeddings of reflection tokens are new: train the whole")
        return self


class TextStage(DataStage):
    """Of rows of `text`, all of it: streamed, one behind the other, as often as it takes."""

    kind: Literal["pretrain", "midtrain"]
    data: Streams = Field(min_length=1)
    tokens: PositiveInt
    shuffled: PositiveInt = Field(10_000, description="rows of a hub's stream, among themselves")

    @field_validator("data")
    @classmethod
    def _mixed_by_share(cls, data: tuple[Source, ...]) -> tuple[Source, ...]:
        if any(source.count or source.fraction for source in data):
            raise ValueError("texts are mixed by their share of the tokens: say share")
        if len(data) > 1 and not all(source.share for source in data):
            raise ValueError("of several sources each has a share")
        return data


class Practised(Section):
    """A stage that learns from completions of its own, which servers draw and a verifier judges."""

    name: Name
    task: Sources = Field((), description="questions and answers; default: the world's")
    families: dict[str, PositiveFloat] | None = Field(None, description="instead of the recipe's")
    hard: float = Field(0.0, ge=0, description="tilt of the levels towards the hard ones")
    verifier: str = Field(
        "answer", description="a name of training/verifiers; rows may name their own"
    )
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
    group: PositiveInt = Field(8, description="completions of a prompt")
    refills: int = Field(1, ge=0, description="rounds that replace groups that teach nothing")
    overlap: bool = Field(True, description="draw the next batch while learning from this one")

    reward: Literal["verified", "random", "format", "wrong-label", "majority"] = Field(
        "verified", description="the verifier's, or a control of 'Spurious Rewards'"
    )
    scale: PositiveFloat = Field(1.0, description="of the score; Tülu 3's PPO has 10")
    unended: float = Field(0.0, description="score of what was cut for its length")

    learning_rate: PositiveFloat = 3e-5
    schedule: Literal["constant", "linear"] = "constant"
    warmup_steps: int = Field(5, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    beta2: float = Field(0.95, gt=0, lt=1, description="of AdamW")
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
        if self.algorithm == "grpo" and self.group < 2:
            raise ValueError("group: GRPO compares completions of a prompt: 2 at least")
        of_grpo = ("divide_by_std", "refills")
        _refuse_idle(self, self.algorithm == "ppo", "of PPO", of_grpo)
        _refuse_idle(self, not self.kl, "without kl", ("kl_in",))
        _refuse_idle(self, bool(self.task), "where there is a task", ("families", "hard"))
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


def _refuse_idle(stage: Section, is_so: bool, where: str, fields: tuple[str, ...]) -> None:
    for field in fields:
        if is_so and field in stage.model_fields_set:
            raise ValueError(f"{field} changes nothing {where}")


class PreferenceStage(Practised):
    """Preferences: pairs of a better and a worse completion, from a file or drawn from the base.

    Defaults of DPO are Tülu 3's (arXiv 2411.15124, table 20) but for what the size asks for.
    """

    kind: Literal["dpo", "reward-model"]
    pairs: Sources = Field((), description="rows of prompt, chosen and rejected")
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
        _refuse_idle(self, bool(self.pairs), "where pairs come from a file", drawn)
        return self

    @field_validator("margin")
    @classmethod
    def _of_simpo(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("loss") != "simpo":
            raise ValueError("only the loss simpo has a margin")
        return value


KINDS = {
    **dict.fromkeys(("pretrain", "midtrain", "sft"), "world"),
    **dict.fromkeys(("dpo", "reward-model"), "pairs"),
    "rlvr": "rlvr",
}


def _options_of(stage: Any) -> str | None:
    """Which model reads a stage: of some kinds it is the data that tell."""
    if isinstance(stage, BaseModel):
        stage = {name: getattr(stage, name) for name in stage.model_fields_set}
    kind = stage.get("kind") if isinstance(stage, dict) else None
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if found == "world" and "data" in stage:
        return "conversations" if kind == "sft" else "texts"
    return found


AnyStage = Annotated[
    Annotated[Stage, Tag("world")]
    | Annotated[TextStage, Tag("texts")]
    | Annotated[ConversationStage, Tag("conversations")]
    | Annotated[RlStage, Tag("rlvr")]
    | Annotated[PreferenceStage, Tag("pairs")],
    Discriminator(
        _options_of,
        custom_error_type="union_tag",
        custom_error_message="Should be one of " + ", ".join(map(repr, KINDS)),
    ),
]
