"""What `POST /v1/responses` replies, for the OpenAPI document."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from server.schema.replies import Thinking, TokenDetails, Vote, closed

Status = Literal["completed", "incomplete"]


@closed
class ReasoningText(TypedDict):
    type: Literal["reasoning_text"]
    text: str


@closed
class OutputText(TypedDict):
    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[Any]


@closed
class ReasoningItem(TypedDict):
    id: str
    type: Literal["reasoning"]
    summary: list[Any]
    content: list[ReasoningText]
    status: Status


@closed
class MessageItem(TypedDict):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    content: list[OutputText]
    status: Status


@closed
class CallItem(TypedDict):
    id: str
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    status: Status


@closed
class InputDetails(TypedDict):
    cached_tokens: int
    cache_write_tokens: int


@closed
class ResponseUsage(TypedDict):
    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: TokenDetails
    total_tokens: int


@closed
class CutBy(TypedDict):
    reason: Literal["max_output_tokens"]


@closed
class Effort(TypedDict):
    effort: str | None
    summary: None


@closed
class ResponseReply(TypedDict):
    """What is of the request comes back as it was said."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Status
    model: str
    output: list[ReasoningItem | MessageItem | CallItem]
    usage: ResponseUsage
    incomplete_details: CutBy | None
    error: None
    background: Literal[False]
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, Any]
    parallel_tool_calls: bool
    previous_response_id: None
    reasoning: Effort
    service_tier: str | None
    store: Literal[False]
    temperature: float
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float
    truncation: Literal["disabled"]
    user: str | None
    thinking: Thinking | None
    vote: NotRequired[Vote]
