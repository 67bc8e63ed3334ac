"""`POST /v1/responses`: what it takes, in OpenAI's shape."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server.schema.chat import ChatRequest
from server.schema.naming import ANY_MESSAGE
from server.schema.off import Off
from server.schema.responses_input import AnyItem, as_messages
from server.schema.responses_tools import (
    Format,
    FunctionTool,
    ToolChoice,
    choice_as_chat,
)
from server.schema.sampling import SamplingFields
from server.schema.thinking import ReasoningFields, Strict, ThinkingAliases
from server.schema.unions import TextOr
from server.schema.vote import VoteFields

NAMES = {
    ANY_MESSAGE: "input",
    "max_(?:completion_)?tokens": "max_output_tokens",
    r"response_format(?:\.json_schema)?": "text.format",
    r"(tools\[\d+\])\.function": r"\1",
    r"tool_choice\.function": "tool_choice",
}
"""From chat's fields to those that mean the same here."""


class Reasoning(ReasoningFields):
    """There are no summaries: "auto", one if there is any, changes nothing."""

    summary: Literal["auto"] | None = None
    generate_summary: Literal["auto"] | None = None


class TextFields(Strict):
    format: Format | None = None
    verbosity: Literal["medium"] | None = None


class StreamOptions(Strict):
    include_obfuscation: bool = False


class ResponsesRequest(ThinkingAliases, SamplingFields):
    """Nothing of a response is kept: a conversation is said whole, in `input`."""

    input: TextOr[Annotated[list[AnyItem], Field(min_length=1)]] = Field(
        examples=["How many r in raspberry?"]
    )
    model: str | None = None
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1, examples=[400])
    reasoning: Reasoning | None = None
    text: TextFields | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    stream: bool = False
    vote: VoteFields | None = None

    # Other values of these would change the answer.
    background: Off | None = None
    conversation: None = None
    include: list[Literal["reasoning.encrypted_content"]] | None = None
    previous_response_id: None = None
    prompt: None = None
    truncation: Literal["disabled"] | None = None
    top_logprobs: int | None = Field(None, ge=0, le=0)

    # These change nothing in the answer.
    max_tool_calls: int | None = Field(None, ge=1)
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None

    def as_chat(self) -> ChatRequest:
        system = {"role": "system", "content": self.instructions}
        user = {"role": "user", "content": self.input}
        asked = [user] if isinstance(self.input, str) else as_messages(self.input)
        own: dict[str, Any] = {
            "messages": [system, *asked] if self.instructions else asked,
            "max_completion_tokens": self.max_output_tokens,
            "stream_options": None,
        }
        if self.tools is not None:
            own["tools"] = [tool.as_chat() for tool in self.tools]
        if self.tool_choice is not None:
            own["tool_choice"] = choice_as_chat(self.tool_choice)
        if self.text is not None and self.text.format is not None:
            own["response_format"] = self.text.format.as_chat()
        return ChatRequest.like(self, **own)
