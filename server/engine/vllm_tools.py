"""vLLM's tool parsers as `decoding.tool_calls.ToolReader`. Importing this takes vLLM's seconds."""

from collections.abc import Callable, Sequence
from typing import Any

from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.tool_parsers import ToolParser, ToolParserManager

from decoding.tool_calls import Read, ToolReader, call_id
from decoding.types import ToolCallDelta


def parser(name: str) -> Callable[[Any, Sequence[dict[str, Any]], bool], ToolReader]:
    """From a tokenizer, tools, and whether the answer comes in small pieces to a reader.

    Raises ValueError for a name that vLLM does not know.
    """
    known = ToolParserManager.list_registered()
    if name not in known:
        raise ValueError(f"--tool-parser: there is no {name!r}, only {', '.join(known)}")
    parsing = ToolParserManager.get_tool_parser(name)

    def reader(tokenizer: Any, tools: Sequence[dict[str, Any]], streamed: bool) -> ToolReader:
        asked = ChatCompletionRequest(messages=[], tools=list(tools), tool_choice="auto")
        chosen = parsing(tokenizer, list(asked.tools or ()))
        return StreamedReader(chosen, asked) if streamed else WholeReader(chosen, asked)

    return reader


class WholeReader:
    """Reads the answer once it is whole, as vLLM's parsers do it best."""

    def __init__(self, parser: ToolParser, asked: ChatCompletionRequest) -> None:
        self._parser, self._asked = parser, asked
        self._text = ""

    def feed(self, text: str, token_ids: Sequence[int]) -> Read:
        self._text += text
        return Read()

    def end(self) -> Read:
        found = self._parser.extract_tool_calls(self._text, self._asked)
        if not found.tools_called:
            return Read(self._text)
        calls = tuple(
            ToolCallDelta(i, call.function.arguments, call.id, call.function.name)
            for i, call in enumerate(found.tool_calls)
        )
        return Read(found.content or "", calls)


class StreamedReader:
    """Reads the answer piece by piece: a call that turns out to be none has then been told of."""

    def __init__(self, parser: ToolParser, asked: ChatCompletionRequest) -> None:
        self._parser, self._asked = parser, asked
        self._text = ""
        self._token_ids: list[int] = []
        self._told: set[int] = set()

    def feed(self, text: str, token_ids: Sequence[int]) -> Read:
        before, ids_before = self._text, list(self._token_ids)
        self._text += text
        self._token_ids += token_ids
        found = self._parser.extract_tool_calls_streaming(
            before, self._text, text, ids_before, self._token_ids, token_ids, self._asked
        )
        if found is None:
            return Read()
        return Read(found.content or "", tuple(map(self._piece, found.tool_calls)))

    def end(self) -> Read:
        rest = self._parser.get_remaining_unstreamed_args()
        if not rest or not self._told:
            return Read()
        return Read(tool_calls=(ToolCallDelta(max(self._told), rest),))

    def _piece(self, piece: Any) -> ToolCallDelta:
        """An id for the first piece of a call, whether or not its format has one."""
        arguments = (piece.function and piece.function.arguments) or ""
        if piece.index in self._told:
            return ToolCallDelta(piece.index, arguments)
        self._told.add(piece.index)
        return ToolCallDelta(piece.index, arguments, piece.id or call_id(), piece.function.name)
