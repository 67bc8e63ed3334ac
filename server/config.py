"""Settings of a server: flags, then BIDE_* in the environment, then defaults."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, HttpUrl, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

RELEASED = Path(__file__).parent.parent / "training" / "released" / "bide-mini"

Effort = Literal["minimal", "low", "medium", "high", "xhigh", "max"]


class Settings(BaseSettings):
    """`bide serve` shows these as flags: --max-model-len 4096, or BIDE_MAX_MODEL_LEN=4096."""

    model_config = SettingsConfigDict(
        env_prefix="BIDE_",
        cli_prog_name="bide serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        extra="forbid",
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 for any free one")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    model: str = Field(str(RELEASED), description="a folder, or a Hugging Face id")
    served_name: str | None = Field(None, description="the name clients use; default: the folder's")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: int | None = Field(None, ge=1, description="default: the model's own")
    max_num_seqs: int = Field(64, ge=1, description="requests in the engine at once")
    kv_cache_gib: float | None = Field(None, gt=0, description="on CPU; default: found")
    threads: int | None = Field(None, ge=1, description="on CPU; default: all cores but one")
    block_size: int | None = Field(None, ge=1, description="tokens a KV block; default: found")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    tensor_parallel_size: int = Field(1, ge=1)
    data_parallel_size: int = Field(1, ge=1)
    enforce_eager: bool | None = Field(None, description="no compilation; default: on CPU alone")
    enable_prefix_caching: bool = True

    markers: Literal["auto", "none", "bide", "think", "s1"] = Field(
        "auto", description="the model's thinking markers"
    )
    think_start: str | None = Field(None, description="instead of a profile's start marker")
    think_end: str | None = Field(None, description="instead of a profile's end marker")

    tool_parser: str = Field(
        "auto", description="how the model writes tool calls: a name of vLLM's, auto or none"
    )

    thinking_budget: int = Field(-1, ge=-1, description="of requests that say none; -1: no cap")
    thinking_ceiling: int = Field(-1, ge=-1, description="no request gets more; -1: no ceiling")
    answer_reserve: int = Field(64, ge=1, description="tokens kept from a thought with no budget")
    efforts: dict[Effort, int] = Field(
        {
            "minimal": 256,
            "low": 1024,
            "medium": 8192,
            "high": 24576,
            "xhigh": 49152,
            "max": -1,
        },
        description="effort to thinking budget",
    )

    verifiers: dict[str, HttpUrl] = Field({}, description="name to URL, for votes to be weighed by")

    @model_validator(mode="after")
    def _both_markers(self) -> Self:
        if (self.think_start is None) != (self.think_end is None):
            raise ValueError("--think-start and --think-end go together")
        return self

    @property
    def name(self) -> str:
        return self.served_name or Path(self.model).name
