"""Settings of a server: flags, then BIDE_* in the environment, then a file, then defaults.

Each class is a group of `bide serve --help`, and its docstring the heading.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    CliToggleFlag,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from server.config_file import FileSource

NO_CAP = -1
"""Said instead of tokens: as many as there is room for."""

VERSION = re.compile(r"v[1-9][0-9]{0,8}")

RELEASED = Path(__file__).parent.parent / "training" / "released" / "bide-mini"

HostName = Annotated[
    str, Field(pattern=r"^([^\s/*:]+|\[?[0-9A-Fa-f.:]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*\]?)$")
]
"""Without a port."""
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/*]+)$")]
Share = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Effort = Literal["minimal", "low", "medium", "high", "xhigh", "max"]
EFFORTS: dict[Effort, int] = {
    "minimal": 256,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 49152,
    "max": -1,
}


class Listening(BaseModel):
    """Listening"""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 for any free one")
    drain_seconds: int = Field(
        30, ge=0, description="time for running requests to end, once told to stop"
    )

    @property
    def is_local(self) -> bool:
        """Whether this machine alone can reach the server."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Access(BaseModel):
    """Who may ask"""

    keys: Path | None = Field(
        None, description="file of API keys, which `bide keys` writes; default: none are asked for"
    )
    allow_anonymous: bool = Field(
        False, description="let other machines in without a key, but to no admin route"
    )
    open_metrics: bool = Field(False, description="/metrics needs no key")
    allowed_hosts: list[HostName] = Field(
        [],
        description="names beside this machine's in a request's Host; default: any where keys or "
        "--allow-anonymous say who may ask, else none",
    )
    cors_origins: list[Origin] = Field(
        [], description="web pages that may ask, as https://app.example; *: all; default: none"
    )


class Limits(BaseModel):
    """Limits"""

    max_body_bytes: int = Field(8 << 20, ge=1, description="bytes of a request's body")
    max_prompt_tokens: int | None = Field(
        None, ge=1, description="tokens of a prompt; default: what the context has"
    )
    max_n: int = Field(128, ge=1, le=128, description="choices, or samples of a vote")
    max_connections: int = Field(
        2048, ge=1, description="at once; beyond it the one idle longest is closed"
    )
    header_timeout: float = Field(20, gt=0, description="seconds for a request's head to arrive")
    body_timeout: float = Field(60, gt=0, description="seconds for a request's body to arrive")
    unread_timeout: float = Field(
        60, gt=0, description="seconds that a client may leave an answer unread"
    )


class Logging(BaseModel):
    """Logs and traces (no prompt and no answer is in them)"""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level to write; info has a line a request"
    )
    log_format: Literal["text", "json"] = Field("text", description="text, or one object a line")
    otlp_endpoint: HttpUrl | None = Field(
        None, description="OpenTelemetry collector (OTLP over HTTP); default: no traces"
    )


class Served(BaseModel):
    """The model"""

    model: str = Field(
        str(RELEASED),
        description="a folder, a Hugging Face id, or bide-mini-lookups, which comes with Bide; "
        "default: bide-mini, which does too",
    )
    registry: Path | None = Field(
        None, description="folder of published checkpoints, to load while serving; default: none"
    )
    follow: str | None = Field(
        None,
        description="NAME@TAG of the registry: load what the tag means whenever that changes; "
        "default: none",
    )
    follow_every: float = Field(5, gt=0, description="seconds between looks at that tag")
    served_name: str | None = Field(
        None, description="the name clients use; default: the folder's name"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="type of the weights"
    )
    max_model_len: int | None = Field(
        None, ge=1, description="tokens a request may have in all; default: the model's own"
    )
    markers: Literal["auto", "none", "bide", "think", "s1"] = Field(
        "auto", description="the model's thinking markers; auto finds them in its tokenizer"
    )
    think_start: str | None = Field(
        None, description="start marker of no known profile; default: the profile's"
    )
    think_end: str | None = Field(
        None, description="end marker of no known profile; default: the profile's"
    )
    image_domains: list[HostName] = Field(
        [], description="hosts that images may be fetched from, beside data: URLs; default: none"
    )
    max_images: int = Field(8, ge=1, description="images in a request, for models that see")
    tool_parser: str = Field(
        "auto", description="how it writes tool calls: a name of vLLM's parsers, auto, or none"
    )

    @model_validator(mode="after")
    def _both_markers(self) -> Self:
        if (self.think_start is None) != (self.think_end is None):
            raise ValueError("--think-start and --think-end go together")
        return self

    @field_validator("follow")
    @classmethod
    def _names_a_tag(cls, given: str | None) -> str | None:
        if given is not None and not re.fullmatch(r"[^@]+@[^@]+", given):
            raise ValueError("should be NAME@TAG")
        return given

    @property
    def name(self) -> str:
        """A registry has a model's name on the folder above its versions'."""
        path = Path(self.model)
        is_version = VERSION.fullmatch(path.name) and path.parent.name
        return self.served_name or (path.parent.name if is_version else path.name)

    @field_validator("model")
    @classmethod
    def _that_comes_with_bide(cls, given: str) -> str:
        ours = RELEASED.parent / given
        return str(ours) if (ours / "config.json").is_file() and not Path(given).exists() else given


class Adapters(BaseModel):
    """LoRA adapters of the registry"""

    max_adapters: int = Field(0, ge=0, description="loaded at once; 0: none can be")
    adapters_at_once: int = Field(8, ge=1, description="different ones in one step of the engine")
    max_adapter_rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = Field(
        16, description="the largest rank that an adapter may have"
    )
    adapters: list[str] = Field(
        [], description="NAME or NAME@VERSION, to load at the start; default: none"
    )
    aliases: dict[str, Annotated[dict[str, Share], Field(min_length=1)]] = Field(
        {}, description="names that stand for models, each by its share of the requests"
    )

    @model_validator(mode="after")
    def _within_the_most(self) -> Self:
        if len(self.adapters) > self.max_adapters:
            raise ValueError(
                f"--adapters: {len(self.adapters)} are more than --max-adapters {self.max_adapters}"
            )
        return self


class Engine(BaseModel):
    """The engine (vLLM)"""

    max_num_seqs: int = Field(64, ge=1, description="programs in the engine at once")
    kv_cache_gib: float | None = Field(
        None, gt=0, description="GiB of KV cache, on CPU; default: found for this machine"
    )
    threads: int | None = Field(None, ge=1, description="on CPU; default: all cores but one")
    block_size: int | None = Field(None, ge=1, description="tokens a KV block; default: found")
    gpu_memory_utilization: float = Field(
        0.9, gt=0, le=1, description="share of a GPU's memory to take"
    )
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share a model's layers")
    data_parallel_size: int = Field(1, ge=1, description="copies of the model")
    enforce_eager: bool | None = Field(None, description="no compilation; default: on CPU alone")
    enable_prefix_caching: bool = Field(True, description="keep the KV blocks of shared prefixes")


class Load(BaseModel):
    """Load"""

    max_queue: int = Field(1024, ge=0, description="requests that wait at once; more get a 429")
    queue_timeout: float | None = Field(
        None, gt=0, description="seconds in the queue, then it is a 503; default: no limit"
    )
    max_chunk_tokens: int = Field(
        4, ge=1, description="tokens in a chunk of a stream where the engine is full; 1: always one"
    )
    brownout: float | None = Field(
        None, ge=0, lt=1, description="share of the queue from which thinking shrinks; default: off"
    )
    brownout_floor: int = Field(256, ge=0, description="thinking ceiling at a full queue")

    @model_validator(mode="after")
    def _brownout_of_a_queue(self) -> Self:
        if self.brownout is not None and not self.max_queue:
            raise ValueError("--brownout needs a --max-queue above 0")
        return self


class Thinking(BaseModel):
    """Thinking (budgets are in tokens)"""

    thinking_budget: int = Field(
        NO_CAP, ge=NO_CAP, description="of requests that say none; -1: no cap"
    )
    thinking_ceiling: int = Field(
        NO_CAP, ge=NO_CAP, description="no request gets more; -1: no ceiling"
    )
    answer_reserve: int = Field(64, ge=1, description="tokens kept from a thought with no budget")
    efforts: dict[Effort, Annotated[int, Field(ge=NO_CAP)]] = Field(
        EFFORTS, description="budget of each effort; those not named keep theirs; -1: no cap"
    )

    @field_validator("efforts")
    @classmethod
    def _all_efforts(cls, given: dict[Effort, int]) -> dict[Effort, int]:
        return EFFORTS | given


class Retrieval(BaseModel):
    """Retrieval"""

    indexes: Path | None = Field(
        None, description="folder of indexes of documents, to search and to add to; default: none"
    )
    passage_words: int = Field(120, ge=10, description="words of a passage at most")
    embedder: str | None = Field(
        None,
        description="sentence-transformers model, by which new indexes have vectors beside words; "
        "default: none",
    )
    search_services: dict[str, HttpUrl] = Field(
        {}, description="URLs that are searched in the place of an index, by its name"
    )

    @model_validator(mode="after")
    def _embeds_for_indexes(self) -> Self:
        if self.embedder is not None and self.indexes is None:
            raise ValueError("--embedder: is for indexes, and there is no --indexes")
        return self


class Votes(BaseModel):
    """Votes"""

    verifiers: dict[str, HttpUrl] = Field({}, description="URLs that votes may be weighed by")


class Filed(
    Listening, Access, Limits, Served, Adapters, Engine, Load, Thinking, Votes, Retrieval, Logging
):
    """What a file may set, in the order of the help text."""

    model_config = ConfigDict(extra="forbid")


class Configuration(BaseModel):
    """Configuration"""

    config: Path | None = Field(None, description="TOML file of settings; default: none is read")
    print_config: CliToggleFlag[bool] = Field(
        False, description="print all settings as such a file, and stop"
    )


GROUPS: tuple[type[BaseModel], ...] = (Configuration, *Filed.__bases__)


class Settings(Filed, Configuration, BaseSettings):
    """One name everywhere: --max-model-len 4096, BIDE_MAX_MODEL_LEN=4096, max_model_len = 4096."""

    model_config = SettingsConfigDict(
        env_prefix="BIDE_",
        cli_prog_name="bide serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        extra="forbid",
    )

    @model_validator(mode="after")
    def _out_of_a_registry(self) -> Self:
        for flag, given in (("--follow", self.follow), ("--adapters", self.adapters)):
            if given and self.registry is None:
                raise ValueError(f"{flag} needs a --registry")
        return self

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.keys is not None and self.allow_anonymous:
            raise ValueError("--keys and --allow-anonymous contradict each other")
        if not (self.keys or self.allow_anonymous or self.is_local):
            raise ValueError(
                f"--host {self.host} is open to other machines: give --keys FILE "
                "(`bide keys add NAME` makes one), or say --allow-anonymous"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls, Filed)
