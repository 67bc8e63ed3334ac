"""Fakes for decoding's protocols: a tokenizer, models, and an engine that records its calls."""

import asyncio
import json
import re
import sys
import zlib
from array import array
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

from decoding import markers
from decoding.engine import Engine, Policy
from decoding.markers import Markers, Profile
from decoding.types import (
    Chunk,
    Delta,
    Final,
    Grammar,
    Likely,
    Phase,
    Sampling,
    Thinking,
    TokenLogprob,
)
from server.engine.adapters import Adapter
from server.engine.images import Image
from server.engine.served import ServedEngine
from server.engine.swapping import SwapFailed

Model = Callable[[tuple[int, ...], int | None], Iterator[int]]
"""What follows some ids under a seed, token by token."""


class FakeCodec:
    """A token a character, except for `words`, which are one token each."""

    def __init__(self, *words: str) -> None:
        first = sys.maxunicode + 1
        self._ids = {word: first + number for number, word in enumerate(words)}
        self._words = {number: word for word, number in self._ids.items()}
        self._piece = re.compile("|".join([*map(re.escape, words), "."]), re.DOTALL)

    def encode(self, text: str) -> list[int]:
        return [self._ids.get(piece) or ord(piece) for piece in self._piece.findall(text)]

    def decode(self, token_ids: Sequence[int]) -> str:
        return "".join(self._words.get(token) or chr(token) for token in token_ids)


@dataclass(frozen=True)
class Family:
    """A family of models: its tokenizer, its markers in it, and what ends its turns."""

    codec: FakeCodec
    markers: Markers

    @property
    def turn_ends(self) -> frozenset[int]:
        return self.markers.turn_ends


def family(profile: Profile, turn_ends: str, *words: str) -> Family:
    codec = FakeCodec(*words)
    return Family(codec, markers.resolve(profile, codec, frozenset(codec.encode(turn_ends))))


BIDE = family(
    markers.BIDE, "<|end|><|eos|>", "<think>", "</think>", "<|user|>", "<|end|>", "<|eos|>"
)
S1 = family(markers.S1, "<|im_end|>", "<|im_start|>", "<|im_end|>", "think", "answer")
"""Its end marker is two tokens, and its answers have a prefix."""


def spoken(codec: FakeCodec, *calls: str) -> Model:
    """A model that says these texts, one a call."""
    left = list(calls)

    def model(token_ids: tuple[int, ...], seed: int | None) -> Iterator[int]:
        assert left, f"one call too many, after {codec.decode(token_ids)!r}"
        return iter(codec.encode(left.pop(0)))

    return model


def hashed(alphabet: Sequence[int], salt: int = 0) -> Model:
    """A model whose every token is a pure function of the ids before it, and of the seed."""

    def model(token_ids: tuple[int, ...], seed: int | None) -> Iterator[int]:
        ids = array("l", token_ids)
        start = zlib.crc32(f"{salt}:{seed}".encode())
        while True:
            ids.append(alphabet[zlib.crc32(ids.tobytes(), start) % len(alphabet)])
            yield ids[-1]

    return model


@dataclass
class Call:
    """What the engine was asked, and what it had delivered when the call ended."""

    token_ids: tuple[int, ...]
    sampling: Sampling
    produced: list[int] = field(default_factory=list)
    adapter: Adapter | None = None
    aborted: bool = False


class ScriptedEngine:
    """An engine over a fake model.

    sizes: tokens in its chunks, in turn. stalls: whether it hangs before each call's last chunk,
    but for the first `free` calls.
    """

    def __init__(
        self,
        family: Family,
        model: Model,
        *,
        sizes: Sequence[int] = (1,),
        stalls: bool = False,
        free: int = 0,
        sees: bool = False,
    ) -> None:
        self.calls: list[Call] = []
        self.sees = sees
        self.swaps: list[str] = []
        self.unreadable: dict[str, int] = {}
        self.speechless = False
        self.kept: Path | None = None
        self.shown: list[list[str]] = []
        self.called = asyncio.Event()
        self._codec, self._eos = family.codec, family.turn_ends
        self._model, self._sizes, self._stalls, self._free = model, sizes, stalls, free

    async def add(self, adapter: Adapter) -> None:
        self.swaps.append(f"add {adapter}")
        if self.unreadable.get(str(adapter)):
            raise SwapFailed(f"{adapter}: the engine cannot read this adapter")

    async def remove(self, adapter: Adapter) -> None:
        self.swaps.append(f"remove {adapter}")

    def adapted(self, adapter: Adapter) -> "ServedEngine":
        return AdaptedScript(self, adapter)

    async def close(self) -> None:
        self.swaps.append("close")

    async def pause(self) -> None:
        self.swaps.append("pause")

    async def reload(self, folder: Path) -> None:
        self.swaps.append(folder.name)
        if self.swaps.count(folder.name) <= self.unreadable.get(folder.name, 0):
            raise SwapFailed(f"{folder.name}: the engine cannot read these weights")

    async def resume(self) -> None:
        self.swaps.append("resume")

    async def prove(self) -> None:
        self.swaps.append("prove")
        if self.speechless:
            raise SwapFailed("what these weights say has no probability")

    async def fail(self) -> None:
        self.swaps.append("fail")

    def keep(self, folder: Path) -> None:
        self.kept = folder

    async def seeing(
        self, token_ids: Sequence[int], images: Sequence[Image]
    ) -> tuple[list[int], Engine]:
        """An image is one token behind the prompt: the length of its URL."""
        self.shown.append([image.url for image in images])
        return [*token_ids, *(len(image.url) for image in images)], self

    def check_grammar(self, asked: Grammar) -> None:
        """Knows JSON's types and nothing else of grammars."""
        if asked.kind == "json":
            kind = json.loads(asked.value).get("type", "object")
            if kind not in ("object", "array", "string", "number", "integer", "boolean", "null"):
                raise ValueError(f"Unsupported type {kind!r}")

    async def generate(
        self, token_ids: Sequence[int], sampling: Sampling, adapter: Adapter | None = None
    ) -> AsyncGenerator[Chunk, None]:
        call = Call(tuple(token_ids), sampling, adapter=adapter)
        stalls = self._stalls and len(self.calls) >= self._free
        self.calls.append(call)
        self.called.set()
        chunk: Chunk | None = None
        try:
            for chunk in self._told(self._chunks(self._scored(call)), sampling.logprobs):
                chunk = self._critical(chunk, sampling.told_ids)
                await asyncio.sleep(0)
                if stalls and chunk.finish is not None:
                    await asyncio.Event().wait()
                call.produced += chunk.token_ids
                if chunk.stop_token is not None:
                    call.produced.append(chunk.stop_token)
                yield chunk
        except (GeneratorExit, asyncio.CancelledError):
            call.aborted = stalls or chunk is None or chunk.finish is None
            raise

    def _whole(self, call: Call) -> Chunk:
        """All that the model says in a call, as one chunk."""
        sampling, tokens, text = call.sampling, list[int](), ""
        assert sampling.max_tokens > 0
        ends = {*sampling.stop_token_ids, *(() if sampling.ignore_eos else self._eos)}
        for token in islice(self._model(call.token_ids, sampling.seed), sampling.max_tokens):
            if token in ends:
                return Chunk(tuple(tokens), text, "stop", token)
            tokens.append(token)
            text = self._codec.decode(tokens)
            stops = [text.index(stop) for stop in sampling.stop if stop in text]
            if stops:
                found = next(stop for stop in sampling.stop if text.find(stop) == min(stops))
                return Chunk(tuple(tokens), text[: min(stops)], "stop", stop_text=found)
        assert len(tokens) == sampling.max_tokens, "the model has nothing more to say"
        return Chunk(tuple(tokens), text, "length")

    def _scored(self, call: Call) -> Chunk:
        """All that the model says, with the prompt's log-probabilities if they are wanted."""
        whole, top = self._whole(call), call.sampling.prompt_logprobs
        if top is None:
            return whole
        prompt = Chunk(call.token_ids[1:], "")
        (told,) = self._told(iter([prompt]), top)
        return replace(whole, prompt_logprobs=told.logprobs)

    def _told(self, chunks: Iterator[Chunk], top: int | None) -> Iterator[Chunk]:
        """With log-probabilities, if they are wanted: the n-th likeliest token's is -n."""
        for chunk in chunks:
            if top is None:
                yield chunk
                continue
            likely = [
                Likely(token, text := self._codec.decode([token]), text.encode(), -1.0)
                for token in chunk.token_ids
            ]
            other = [Likely(0, "?", b"?", float(-n)) for n in range(2, top + 1)]
            logprobs = tuple(TokenLogprob(each, (each, *other)[:top]) for each in likely)
            yield replace(chunk, logprobs=logprobs)

    def _critical(self, chunk: Chunk, told_ids: Sequence[int]) -> Chunk:
        """With those of chosen tokens: -1 for the one that is drawn, -9 for the others."""
        if not told_ids:
            return chunk
        last = () if chunk.stop_token is None else (chunk.stop_token,)
        rest = dict.fromkeys(told_ids, -9.0)
        return replace(
            chunk, told=tuple(rest | {token: -1.0} for token in (*chunk.token_ids, *last))
        )

    def _chunks(self, whole: Chunk) -> Iterator[Chunk]:
        tokens, text = whole.token_ids, whole.text
        for size in cycle(self._sizes):
            if size >= len(tokens):
                yield replace(whole, token_ids=tokens, text=text)
                return
            length = len(self._codec.decode(tokens[:size]))
            yield Chunk(tokens[:size], text[:length])
            tokens, text = tokens[size:], text[length:]


class AdaptedScript:
    """The scripted engine, whose calls are noted with an adapter."""

    def __init__(self, engine: ScriptedEngine, adapter: Adapter) -> None:
        self._engine, self._adapter = engine, adapter
        self.sees = engine.sees

    async def seeing(
        self, token_ids: Sequence[int], images: Sequence[Image]
    ) -> tuple[list[int], Engine]:
        seen, _ = await self._engine.seeing(token_ids, images)
        return seen, self

    def check_grammar(self, asked: Grammar) -> None:
        self._engine.check_grammar(asked)

    def adapted(self, adapter: Adapter) -> ServedEngine:
        return AdaptedScript(self._engine, adapter)

    def generate(self, token_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Chunk, None]:
        return self._engine.generate(token_ids, sampling, self._adapter)


@dataclass(frozen=True)
class Reply:
    """All that a policy said, and the calls that it made for it."""

    deltas: list[Delta]
    final: Final
    calls: list[Call]
    written: str
    """The whole completion, markers included."""

    @property
    def reasoning(self) -> str:
        return self.text("reasoning")

    @property
    def content(self) -> str:
        return self.text("content")

    @property
    def thinking(self) -> Thinking:
        assert self.final.thinking is not None
        return self.final.thinking

    def text(self, phase: Phase) -> str:
        return "".join(delta.text for delta in self.deltas if delta.phase == phase)

    def token_ids(self, phase: Phase) -> tuple[int, ...]:
        return tuple(t for delta in self.deltas if delta.phase == phase for t in delta.token_ids)


async def ask(
    policy: Policy,
    engine: ScriptedEngine,
    family: Family,
    sampling: Sampling,
    prompt: Sequence[int] = (1, 2, 3),
) -> Reply:
    """Run a policy to its end."""
    deltas: list[Delta] = []
    finals: list[Final] = []
    async for event in policy.run(engine, prompt, sampling):
        assert not finals, "nothing comes after Final"
        if isinstance(event, Final):
            finals.append(event)
        else:
            deltas.append(event)
    (final,) = finals
    return Reply(deltas, final, engine.calls, family.codec.decode(final.token_ids))
