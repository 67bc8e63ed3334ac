"""What replies look like, for types and for the OpenAPI document.

Generation's are not checked on their way out, which would cost every reply; a fuzzer compares them
with what is said here.
"""

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from decoding.types import End, Finish, Stage, Stop

closed = with_config(ConfigDict(extra="forbid"))


@closed
class Position(TypedDict):
    position: int
    text: str
    tokens: int


@closed
class Probe(TypedDict):
    position: int
    answer: str | None
    tokens: int


@closed
class Thinking(TypedDict):
    tokens: int
    waits: int
    injected: list[Position]
    probes: list[Probe]
    end: End
    budget_tokens: int | None
    reduced_from: int | None
    control: dict[str, Any] | None


@closed
class Vote(TypedDict):
    answer: str | None
    counts: dict[str, int]
    weights: dict[str, float]
    started: int
    finished: int
    aborted: int
    filtered: int
    abstained: int
    tokens: int
    stopped_by: Stop


@closed
class Citation(TypedDict):
    start: int
    end: int
    number: int
    document_id: str
    relevance: float | None
    support: float | None


@closed
class Trial(TypedDict):
    parent: int | None
    document_id: str | None
    text: str
    score: float
    relevance: float | None
    support: float | None
    utility: float | None
    chosen: bool


@closed
class SelfRag(TypedDict):
    citations: list[Citation]
    utility: float | None
    retrievals: int
    passages: int
    tree: NotRequired[list[Trial]]


@closed
class Source(TypedDict):
    number: int
    document_id: str
    title: str
    relevance: float | None
    read: bool


@closed
class Point(TypedDict):
    comment: str
    query: str
    accepted: bool


@closed
class Grounding(TypedDict):
    statements: int
    supported: int
    citations: int
    right: int
    precision: float | None
    recall: float | None


@closed
class Step(TypedDict):
    stage: Stage
    round: int
    outcome: str
    count: int
    generated: int


@closed
class Scholar(TypedDict):
    citations: list[Citation]
    sources: list[Source]
    feedback: list[Point]
    written: Grounding
    final: Grounding
    steps: list[Step]


@closed
class TokenDetails(TypedDict):
    reasoning_tokens: int
    injected_tokens: int
    discarded_tokens: int


@closed
class Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    completion_tokens_details: TokenDetails


@closed
class Likely(TypedDict):
    token: str
    logprob: float
    bytes: list[int]


@closed
class Drawn(Likely):
    top_logprobs: list[Likely]


@closed
class Logprobs(TypedDict):
    content: list[Drawn]
    refusal: None


@closed
class Called(TypedDict):
    name: str
    arguments: str


@closed
class Call(TypedDict):
    id: str
    type: Literal["function"]
    function: Called


@closed
class ChatMessage(TypedDict):
    role: Literal["assistant"]
    content: str | None
    reasoning: str | None
    reasoning_content: str | None
    refusal: None
    tool_calls: NotRequired[list[Call]]


@closed
class ChatChoice(TypedDict):
    index: int
    message: ChatMessage
    finish_reason: Finish
    logprobs: Logprobs | None
    thinking: Thinking | None
    vote: NotRequired[Vote]
    self_rag: NotRequired[SelfRag]
    scholar: NotRequired[Scholar]
    token_ids: NotRequired[list[int]]


@closed
class Chat(TypedDict):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    prompt_token_ids: NotRequired[list[int]]
    choices: list[ChatChoice]
    usage: Usage


@closed
class CompletionLogprobs(TypedDict):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


@closed
class CompletionChoice(TypedDict):
    index: int
    text: str
    finish_reason: Finish
    logprobs: CompletionLogprobs | None
    reasoning: NotRequired[str]
    thinking: NotRequired[Thinking]


@closed
class Completion(TypedDict):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage


@closed
class TextBlock(TypedDict):
    type: Literal["text"]
    text: str
    citations: None


@closed
class ThinkingBlock(TypedDict):
    type: Literal["thinking"]
    thinking: str
    signature: str


@closed
class ToolUseBlock(TypedDict):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


@closed
class MessageTokenDetails(TypedDict):
    thinking_tokens: int
    injected_tokens: int
    discarded_tokens: int


@closed
class MessageUsage(TypedDict):
    input_tokens: int
    output_tokens: int
    output_tokens_details: MessageTokenDetails


@closed
class Message(TypedDict):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[TextBlock | ThinkingBlock | ToolUseBlock]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "stop_sequence"]
    stop_sequence: str | None
    usage: MessageUsage
    thinking: Thinking | None
    vote: NotRequired[Vote]


@closed
class MessageTokens(TypedDict):
    input_tokens: int


@closed
class Tokens(TypedDict):
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None


@closed
class Prompt(TypedDict):
    prompt: str


@closed
class Model(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int
    markers: str | None


@closed
class Models(TypedDict):
    object: Literal["list"]
    data: list[Model]


@closed
class Health(TypedDict):
    status: Literal["ok"]


@closed
class Readiness(TypedDict):
    status: Literal["ready", "restarting", "draining", "stopped"]


@closed
class Version(TypedDict):
    version: str


@closed
class OpenAIFault(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


@closed
class OpenAIError(TypedDict):
    error: OpenAIFault
    request_id: str


@closed
class AnthropicFault(TypedDict):
    type: str
    message: str


@closed
class AnthropicError(TypedDict):
    type: Literal["error"]
    error: AnthropicFault
    request_id: str
