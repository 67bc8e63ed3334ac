"""The phases of a thought with a budget, which policies put together: THINK, CLOSE and ANSWER.

An end attempt is the end marker, or the end of the turn, while the model thinks. It is replaced by
a wait text while fewer than `waits` were replaced or fewer than `min_tokens` tokens were thought;
`budget_tokens` always wins.
"""

import re
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from decoding.answer import Answer
from decoding.engine import Codec
from decoding.limits import BudgetConfig, BudgetError, answer_share, check
from decoding.markers import Markers
from decoding.transcript import Transcript
from decoding.types import Delta, End, Final, Finish, Phase, Probe

Attempt = Literal["marker", "turn"]
"""How a model tries to end a thought: by its end marker, or by ending its turn."""

NEVER = sys.maxsize
"""Thinking tokens at which a thought that does not pause pauses."""

SENTENCE_END = re.compile(r"""[.!?…]["')\]]*$""")


@dataclass(slots=True)
class Thought:
    """What the thinking has come to. `cap` is in tokens; `end` is None while it goes on."""

    cap: int
    waits: int = 0
    end: End | None = None
    attempt: Attempt | None = None
    """What the last round stopped at; None if it ran out of room, or paused within."""
    probes: list[Probe] = field(default_factory=list)
    finish: Finish = "length"
    """What ended the answer after it."""
    stop_text: str | None = None


@dataclass(frozen=True, slots=True)
class Thinker:
    """What can be done with a thought of a model, in the order of its methods.

    answer_reserve: completion tokens kept from thinking that has no budget.

    Raises BudgetError on construction if `config` contradicts itself, and `check` does so where
    `max_tokens` has no place for the budget and an answer.
    """

    config: BudgetConfig
    markers: Markers
    codec: Codec
    answer_reserve: int = 0
    prefix: str = field(init=False)
    """How the answer begins after a cut thought."""
    _waits: tuple[tuple[int, ...], ...] = field(init=False)
    _end_text: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        config, encode = self.config, self.codec.encode
        prefix = config.answer_prefix
        resolved = {
            "_waits": tuple(tuple(encode(text)) for text in config.wait),
            "_end_text": tuple(encode(config.end_text)),
            "prefix": self.markers.profile.answer_prefix if prefix is None else prefix,
        }
        for name, value in resolved.items():
            object.__setattr__(self, name, value)
        check(config, self._waits, self._end_text)

    @property
    def overhead(self) -> int:
        """Completion tokens beside the thinking: what closes it, and one token of answer."""
        closing = (*self.markers.line_break, *self.markers.closing)
        return len(closing) + len(self.codec.encode(self.prefix)) + 1

    def check(self, max_tokens: int) -> None:
        budget, least = self.config.budget_tokens or 0, self.overhead
        if max_tokens < least:
            raise BudgetError("max_tokens", f"{max_tokens} is less than the {least} of any answer")
        if budget + least > max_tokens:
            message = f"{budget} leaves no room for an answer: at most {max_tokens - least}"
            raise BudgetError("budget_tokens", f"{message} of max_tokens {max_tokens}")

    def begin(self, max_tokens: int) -> Thought:
        return Thought(self._cap(max_tokens))

    async def think(
        self,
        transcript: Transcript,
        thought: Thought,
        until: int = NEVER,
        *,
        attempts: bool = False,
    ) -> AsyncGenerator[Delta, None]:
        """THINK and INJECT in turn, until the model may end or the budget is used up.

        Pauses, with no end, once `until` tokens are thought, and with `attempts` before each wait
        text that is due: the next call goes on.
        """
        while thought.end is None:
            if thought.attempt is not None:
                yield self._wait(transcript, thought)
            async with aclosing(self._round(transcript, thought, until)) as deltas:
                async for delta in deltas:
                    yield delta
            if thought.attempt is None:
                if self._pauses(transcript, thought, until):
                    return
                if last_words := self.cut(transcript, thought, "budget"):
                    yield last_words
            elif not self._replaces(transcript, thought):
                thought.end = "natural"
            elif attempts:
                return

    def pauses_left(self, transcript: Transcript, thought: Thought, every: int) -> int:
        """How often a thought may still pause if it does so every so many tokens."""
        so_far = len(transcript.completion)
        last = so_far + self._room(transcript, thought) - self.config.soft_window - 1
        return max(0, last // every - so_far // every)

    def cut(self, transcript: Transcript, thought: Thought, end: End) -> Delta | None:
        """End a thought where it is; returns its last words if it has any.

        One that was about to end by itself has said them.
        """
        thought.end = end
        last_words = () if thought.attempt else self._last_words(thought)
        return _injected(transcript, self.config.end_text, last_words) if last_words else None

    def if_cut(self, transcript: Transcript, thought: Thought) -> tuple[int, ...]:
        """What a cut here would write, up to the answer and its prefix."""
        last_words = self._last_words(thought)
        line_break = self._line_break((*transcript.completion[-1:], *last_words))
        prefix = self.codec.encode(self.prefix)
        return (*last_words, *line_break, *self.markers.closing, *prefix)

    async def answer(
        self, transcript: Transcript, thought: Thought, stop: tuple[str, ...]
    ) -> AsyncGenerator[Delta, None]:
        """CLOSE and ANSWER."""
        transcript.reasoning = len(transcript.completion)
        prefix = self._close(transcript, thought)
        if prefix is not None:
            yield prefix
        answer = Answer(transcript, self.markers.turn_ends, stop)
        async with aclosing(answer.run(trim=prefix is None)) as deltas:
            async for delta in deltas:
                yield delta
        thought.finish, thought.stop_text = answer.finish, answer.stop_text

    def final(self, transcript: Transcript, thought: Thought) -> Final:
        capped = self.config.budget_tokens is not None or thought.end == "budget"
        thinking = transcript.thinking(
            thought.waits,
            thought.end or "natural",
            thought.cap if capped else None,
            tuple(thought.probes),
        )
        return transcript.final(thought.finish, thinking, thought.stop_text)

    def _cap(self, max_tokens: int) -> int:
        """The budget, or less where `max_tokens` would leave no room for an answer."""
        room = max_tokens - self.overhead
        if self.config.budget_tokens is None:
            return max(0, room + 1 - answer_share(max_tokens, self.answer_reserve))
        return max(0, min(room, self.config.budget_tokens))

    def _pauses(self, transcript: Transcript, thought: Thought, until: int) -> bool:
        """Whether it is time to pause, with room to think on afterwards."""
        room = self._room(transcript, thought) - self.config.soft_window
        return len(transcript.completion) >= until and room > 0

    def _replaces(self, transcript: Transcript, thought: Thought) -> bool:
        """Whether an end attempt gives way to a wait text, with room to think on after it."""
        wanted = (
            thought.waits < self.config.waits or len(transcript.completion) < self.config.min_tokens
        )
        wait = self._waits[thought.waits % len(self._waits)]
        return wanted and len(wait) < self._room(transcript, thought)

    def _wait(self, transcript: Transcript, thought: Thought) -> Delta:
        turn = thought.waits % len(self._waits)
        thought.waits += 1
        return _injected(transcript, self.config.wait[turn], self._waits[turn])

    def _room(self, transcript: Transcript, thought: Thought) -> int:
        """Tokens that may still be thought; what is injected at the cap has its place kept."""
        return thought.cap - len(self._last_words(thought)) - len(transcript.completion)

    def _last_words(self, thought: Thought) -> tuple[int, ...]:
        """The end text; none where a budget of 0 or a low `max_tokens` has no place for it."""
        return self._end_text if len(self._end_text) <= thought.cap else ()

    async def _round(
        self, transcript: Transcript, thought: Thought, until: int
    ) -> AsyncGenerator[Delta, None]:
        """Think until an end attempt, which is dropped, or a pause, or until there is no room."""
        thought.attempt = None
        while (room := self._room(transcript, thought) - self.config.soft_window) > 0:
            if self._pauses(transcript, thought, until):
                return
            room = min(room, until - len(transcript.completion))
            stopped_by: int | None = None
            calls = transcript.call(room, stop_token_ids=self.markers.end_attempts, ignore_eos=True)
            async with aclosing(calls) as chunks:
                async for chunk in chunks:
                    transcript.keep(chunk.token_ids)
                    stopped_by = chunk.stop_token
                    if chunk.token_ids or chunk.text:
                        yield Delta("reasoning", chunk.text, chunk.token_ids)
            if stopped_by is None:
                if self._pauses(transcript, thought, until):
                    return
                break
            mistaken, thought.attempt = await self._read_attempt(transcript, thought, stopped_by)
            if mistaken is not None:
                yield mistaken
            if thought.attempt is not None:
                return
        async with aclosing(self._to_sentence_end(transcript, thought)) as deltas:
            async for delta in deltas:
                yield delta

    async def _read_attempt(
        self, transcript: Transcript, thought: Thought, first: int
    ) -> tuple[Delta | None, Attempt | None]:
        """The attempt that `first` began; tokens that only looked like a marker are put back."""
        room = self._room(transcript, thought)
        mistaken, attempt = await self._read_on(transcript, first, room)
        mistaken = mistaken[:room]
        if not mistaken:
            return None, attempt
        transcript.keep(mistaken)
        return Delta("reasoning", self.codec.decode(mistaken), mistaken), attempt

    async def _read_on(
        self, transcript: Transcript, first: int, room: int
    ) -> tuple[tuple[int, ...], Attempt | None]:
        """Read on from the token that stopped a round, as far as a marker of several tokens goes.

        Returns the tokens that only looked like an end marker, and the attempt after them if any;
        there is none once they fill `room`.
        """
        end, turn_ends = self.markers.end, self.markers.turn_ends
        mistaken: list[int] = []
        seen = [first]
        while len(mistaken) < room:
            if seen[-1] in turn_ends:
                return (*mistaken, *seen[:-1]), "turn"
            if len(seen) == len(end):
                return tuple(mistaken), "marker"
            token = await transcript.peek((*mistaken, *seen))
            if token == end[len(seen)]:
                seen.append(token)
            elif token in self.markers.end_attempts:
                mistaken += seen
                seen = [token]
            else:
                return (*mistaken, *seen, token), None
        return tuple(mistaken), None

    async def _to_sentence_end(
        self, transcript: Transcript, thought: Thought
    ) -> AsyncGenerator[Delta, None]:
        """Use what is left of the soft window, up to the first sentence boundary in it."""
        while self.config.soft_window and (room := self._room(transcript, thought)) > 0:
            window: list[int] = []
            boundary, stopped_by = False, None
            calls = transcript.call(
                room, stop_token_ids=self.markers.end_attempts, ignore_eos=True, at_once=True
            )
            async with aclosing(calls) as chunks:
                async for chunk in chunks:
                    taken, boundary = self._up_to_boundary(window, chunk.token_ids)
                    window += taken
                    stopped_by = chunk.stop_token
                    if boundary:
                        break
            if window:
                transcript.keep(window)
                yield Delta("reasoning", self.codec.decode(window), tuple(window))
            if boundary or stopped_by is None:
                return
            mistaken, thought.attempt = await self._read_attempt(transcript, thought, stopped_by)
            if mistaken is not None:
                yield mistaken
            if thought.attempt is not None:
                return

    def _up_to_boundary(
        self, before: list[int], token_ids: Sequence[int]
    ) -> tuple[list[int], bool]:
        """The tokens up to the end of a sentence or line, and whether there is one."""
        taken: list[int] = []
        for token in token_ids:
            earlier = self.codec.decode([*before, *taken])
            text = self.codec.decode([*before, *taken, token])[len(earlier) :]
            if SENTENCE_END.search(earlier) and text[:1].isspace():
                return taken, True
            taken.append(token)
            if text.endswith("\n"):
                return taken, True
        return taken, False

    def _close(self, transcript: Transcript, thought: Thought) -> Delta | None:
        """Write the end of the thought if the model did not; returns the answer prefix if any."""
        if thought.attempt == "marker":
            transcript.keep(self.markers.end)
            return None
        if line_break := self._line_break(transcript.completion[-1:]):
            transcript.inject("\n", line_break)
        transcript.inject(self.markers.profile.closing, self.markers.closing)
        if thought.attempt is not None or not self.prefix:
            return None
        return _injected(transcript, self.prefix, self.codec.encode(self.prefix), "content")

    def _line_break(self, last: Sequence[int]) -> tuple[int, ...]:
        """What the closing marker needs before it, after these last tokens of a thought."""
        broken = not last or self.codec.decode(last[-1:]).endswith("\n")
        return () if broken else self.markers.line_break


def _injected(
    transcript: Transcript, text: str, token_ids: Sequence[int], phase: Phase = "reasoning"
) -> Delta:
    transcript.inject(text, token_ids)
    return Delta(phase, text, tuple(token_ids), injected=True)
