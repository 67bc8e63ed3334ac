"""`POST /tokenize` and `POST /detokenize`: what they take, in vLLM's shapes."""

from pydantic import Field

from server.errors import InvalidRequest
from server.schema.chat import ChatRequest
from server.schema.messages import Message
from server.schema.off import Off
from server.schema.replies import Tokens
from server.schema.thinking import Strict, ThinkingAliases
from server.schema.tools import Tool


class TokenizeRequest(ThinkingAliases):
    """A text, or a chat as it would be asked; special tokens are added to a text alone."""

    prompt: str | None = None
    messages: list[Message] | None = Field(None, min_length=1)
    model: str | None = None
    add_special_tokens: bool | None = None
    add_generation_prompt: bool = True
    return_token_strs: bool = False
    tools: list[Tool] | None = None
    continue_final_message: Off | None = None

    def chat(self) -> ChatRequest | None:
        """None where it is a text. Raises InvalidRequest for neither, and for both."""
        if (self.prompt is None) == (self.messages is None):
            raise InvalidRequest("prompt: should be given, or else messages", "prompt")
        if self.messages is None:
            for field in ("add_generation_prompt", "tools", *ThinkingAliases.model_fields):
                if field in self.model_fields_set:
                    raise InvalidRequest(f"{field}: belongs to messages", field)
            return None
        if self.add_special_tokens:
            message = "add_special_tokens: the template adds those of messages"
            raise InvalidRequest(message, "add_special_tokens")
        return ChatRequest.like(self)


class DetokenizeRequest(Strict):
    tokens: list[int]
    model: str | None = None


def tokens_object(tokens: list[int], strings: list[str] | None, max_model_len: int) -> Tokens:
    return {
        "count": len(tokens),
        "max_model_len": max_model_len,
        "tokens": tokens,
        "token_strs": strings,
    }
