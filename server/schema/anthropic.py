"""`POST /v1/messages` and `/v1/messages/count_tokens`: what they take, in Anthropic's shape."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from server.errors import InvalidRequest
from server.schema.anthropic_input import (
    AnyTurn,
    AssistantTurn,
    CacheControl,
    TextBlock,
    as_messages,
)
from server.schema.anthropic_tools import OutputConfig, Tool, ToolChoice
from server.schema.chat import ChatRequest
from server.schema.naming import ANY_MESSAGE
from server.schema.sampling import SamplingFields
from server.schema.thinking import EffortName, Strict, ThinkingAliases, ThinkingFields
from server.schema.unions import TextOr
from server.schema.vote import VoteFields

NAMES = {
    ANY_MESSAGE: "messages",
    "stop": "stop_sequences",
    r"response_format(?:\.json_schema)?": "output_config.format",
    r"(tools\[\d+\])\.function\.parameters": r"\1.input_schema",
    r"(tools\[\d+\])\.function": r"\1",
    r"tool_choice\.function": "tool_choice",
}
"""From chat's fields to those that mean the same here."""


class Thinking(ThinkingFields):
    """Anthropic's own field is a part of Bide's. What is shown is the thought, not a summary."""

    display: Literal["summarized", "omitted"] | None = None


class CountRequest(ThinkingAliases):
    """What makes a prompt. It does not think unless it says so, as with Anthropic."""

    messages: list[AnyTurn] = Field(
        min_length=1, examples=[[{"role": "user", "content": "How many r in raspberry?"}]]
    )
    model: str | None = None
    system: TextOr[list[TextBlock]] | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None

    # A hint that changes nothing in the answer.
    cache_control: CacheControl | None = None

    @field_validator("messages")
    @classmethod
    def _asks(cls, turns: list[AnyTurn]) -> list[AnyTurn]:
        if isinstance(turns[-1], AssistantTurn):
            raise ValueError(
                "the last should be the user's: an answer cannot be begun for the model"
            )
        return turns

    @property
    def exclude_reasoning(self) -> bool:
        omitted = self.thinking is not None and self.thinking.display == "omitted"
        return omitted or super().exclude_reasoning

    @property
    def names(self) -> dict[str, str]:
        """From chat's fields to those that mean the same here."""
        effort = {"reasoning_effort": "output_config.effort"} if self._effort else {}
        return {**NAMES, **effort}

    def as_chat(self) -> ChatRequest:
        own: dict[str, Any] = {"messages": as_messages(self.system, self.messages)}
        if self.tools is not None:
            own["tools"] = [tool.as_chat() for tool in self.tools]
        if self.tool_choice is not None:
            own["tool_choice"] = self.tool_choice.as_chat()
            own["parallel_tool_calls"] = not self.tool_choice.disable_parallel_tool_use
        if self.output_config is not None and self.output_config.format is not None:
            own["response_format"] = self.output_config.format.as_chat()
        if self._effort:
            own["reasoning_effort"] = self._effort
        elif not self.speak:
            own["enable_thinking"] = False
        return ChatRequest.like(self, **own)

    @property
    def _effort(self) -> EffortName | None:
        """Raises InvalidRequest where `output_config` and an alias disagree."""
        effort = self.output_config.effort if self.output_config else None
        if effort and self.reasoning_effort not in (None, effort):
            raise InvalidRequest(
                "output_config.effort and reasoning_effort contradict each other: "
                f"{effort} and {self.reasoning_effort}",
                "output_config.effort",
            )
        return effort


class Metadata(Strict):
    user_id: str | None = None


class MessagesRequest(CountRequest, SamplingFields):
    max_tokens: int = Field(ge=1, examples=[400])
    stop_sequences: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] = (
        Field([])
    )
    stream: bool = False
    vote: VoteFields | None = None

    # These change nothing in the answer.
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None

    def as_chat(self) -> ChatRequest:
        chat = super().as_chat()
        return chat.model_copy(update={"stop": self.stop_sequences})
