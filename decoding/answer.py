"""The answer phase, which every policy ends on."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import dropwhile

from decoding.transcript import Transcript
from decoding.types import Delta, Finish, TokenLogprob


class Answer:
    """Generates the content. The model's own line breaks before it are layout, not content."""

    def __init__(
        self, transcript: Transcript, turn_ends: frozenset[int], stop: tuple[str, ...]
    ) -> None:
        self._transcript, self._stop = transcript, stop
        self._turn_ends = tuple(sorted(turn_ends))
        self.finish: Finish = "length"
        self.stop_text: str | None = None

    async def run(self, *, trim: bool) -> AsyncGenerator[Delta, None]:
        """Deltas of content; `finish` says afterwards what ended it."""
        if self._transcript.room < 1:
            return
        calls = self._transcript.call(
            self._transcript.room, stop_token_ids=self._turn_ends, stop=self._stop, answers=True
        )
        leading = trim
        async with aclosing(calls) as chunks:
            async for chunk in chunks:
                self._transcript.keep(chunk.token_ids)
                text, logprobs = chunk.text, chunk.logprobs
                if leading:
                    text, logprobs = text.lstrip("\n"), _without_line_breaks(logprobs)
                    leading = not text
                if chunk.token_ids or text:
                    yield Delta("content", text, chunk.token_ids, logprobs=logprobs)
                if chunk.stop_token is not None:
                    self._transcript.keep((chunk.stop_token,))
                self.finish = chunk.finish or self.finish
                self.stop_text = chunk.stop_text


def _without_line_breaks(logprobs: tuple[TokenLogprob, ...]) -> tuple[TokenLogprob, ...]:
    """From the first token on that is more than line breaks."""
    return tuple(dropwhile(lambda each: not each.drawn.bytes.strip(b"\n"), logprobs))
