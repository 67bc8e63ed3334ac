"""Self-RAG's search over a model without reflection tokens."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from decoding.critic import Asked, first_tokens
from decoding.critique import Weights
from decoding.engine import Engine
from decoding.passages import Given, Passage
from decoding.prompted_writer import PromptedWriter
from decoding.segments import Branch, Writer, continued
from decoding.self_rag import SelfRag, SelfRagConfig
from decoding.types import Delta, Event, Final, Sampling
from tests.decoding.saying import CODEC, END, Say, Scripted
from tests.scripted import FakeCodec

RIVER = Passage("river", "The Ulm has 3 bridges.")
TOWER = Passage("tower", "The tower is 7 high.")
ALL = {"Y": 0.9, "N": 0.1}


def ask(text: str) -> list[int]:
    return CODEC.encode(f"{text}\n>")


PROMPT = ask("Q?")


def writer(
    engine: Engine,
    prompt: Sequence[int] = PROMPT,
    sampling: Sampling = Sampling(100, temperature=0.0),  # noqa: B008 - frozen
    context: int = 2000,
) -> PromptedWriter:
    places = asyncio.Semaphore(16)
    critic = Asked(engine, CODEC, ask, sampling, context, places, str)
    reads = CODEC, frozenset([END]), context, Weights(), places
    return PromptedWriter(engine, tuple(prompt), sampling, *reads, "Q?", ask, critic)


async def run(say: Say, config: SelfRagConfig) -> tuple[list[Event], Scripted]:
    def made(engine: Engine, prompt: Sequence[int], sampling: Sampling) -> Writer:
        return writer(engine, prompt, sampling)

    engine = Scripted(say)
    policy = SelfRag(config, CODEC, Given([RIVER, TOWER]), "Q?", made)
    return [e async for e in policy.run(engine, PROMPT, Sampling(100, temperature=0.0))], engine


def on_the_river(prompt: str) -> tuple[str, Mapping[str, float]]:
    """Two sentences, of which the first rests on the river; the tower is of no help."""
    question, river = prompt.splitlines()[-2], "bridges" in prompt.partition("Statement")[0]
    if "looked up" in question:
        return "?", {"Y": 0.1, "N": 0.9} if "So far" in prompt else ALL
    if "Does the passage help" in question:
        return "?", ALL if river else {"Y": 0.1, "N": 0.9}
    if "Does the passage say" in question:
        return "?", {"F": 0.8, "P": 0.1, "N": 0.1} if river else {"F": 0.1, "N": 0.9}
    if "How useful" in question:
        return "?", {"5": 0.9, "1": 0.1}
    if prompt.endswith(("bridges.", "say.")):
        return " That is all.<|end|>", {}
    said = "It has 3 bridges. It" if river else "It does not say. It"
    return f"{said} goes on and on.<|end|>", {}


async def test_sentences_are_searched_and_cited() -> None:
    events, engine = await run(on_the_river, SelfRagConfig(beam=1))
    said = "".join(each.text for each in events if isinstance(each, Delta))
    assert said == "It has 3 bridges. [1] That is all."
    final = events[-1]
    assert isinstance(final, Final)
    assert final.evidence is not None
    (citation,) = final.evidence.citations
    assert said[citation.start : citation.end] == "It has 3 bridges."
    assert citation.relevance == pytest.approx(0.9)
    assert citation.support == pytest.approx(0.85)
    assert final.evidence.utility == pytest.approx(0.8)
    assert final.evidence.retrievals == 1
    usage = final.usage
    assert usage.completion == usage.generated - usage.discarded + usage.injected
    # Nothing was drawn on from where the next sentence begins.
    assert not any(prompt.endswith(" It") for prompt in engine.prompts)


async def test_each_passage_is_judged_once() -> None:
    _, engine = await run(on_the_river, SelfRagConfig(mode="always"))
    judged = [each for each in engine.prompts if "Does the passage help" in each]
    assert len(judged) == 2


async def test_never_asks_nothing_of_passages() -> None:
    _, engine = await run(on_the_river, SelfRagConfig(mode="never"))
    assert not any("passage" in each for each in engine.prompts)


@pytest.mark.parametrize(
    ("said", "text", "ended"),
    [
        ("One. Two.<|end|>", "One.", False),
        ("At 3.5 or so. Two.", "At 3.5 or so.", False),
        ("- one\n- two", "- one\n", False),
        ("1. Dr. Smith met J. Doe. Two.", "1. Dr. Smith met J. Doe.", False),
        ("**Yes.** No.", "**Yes.**", False),
        ("他来了。他走了。", "他来了。", False),
        ("\n\nOne. Two.", "One.", False),
        ('"Yes." No.', '"Yes."', False),
        ("One.<|end|>", "One.", True),
        ("No end", "No end", True),
        ("<|end|>", "", True),
    ],
)
async def test_a_segment_is_a_sentence(said: str, text: str, ended: bool) -> None:
    segment = await writer(Scripted(lambda _: (said, {}))).write((), Branch())
    assert (segment.text, segment.ended) == (text, ended)
    assert segment.ended_turn == ("<|end|>" in said and ended)


async def test_what_has_no_room_is_not_written() -> None:
    narrow = writer(Scripted(on_the_river), context=len(PROMPT) + 10)
    assert narrow.has_room((), Branch())
    assert not narrow.has_room((), Branch(RIVER))


def test_answers_that_begin_alike_say_nothing() -> None:
    codec = FakeCodec("Yes")
    (yes,) = codec.encode("Yes")
    assert first_tokens(codec, {"Yes": 1.0, "No": 0.0}) == {yes: 1.0, ord("N"): 0.0}
    assert first_tokens(codec, {"None": 1.0, "No": 0.0, "Maybe": 0.5}) == {ord("M"): 0.5}


class Spaced(FakeCodec):
    """Begins every text with a space, which it drops again, as tokenizers of Llama 2's kind do."""

    def encode(self, text: str) -> list[int]:
        return super().encode(f" {text}")

    def decode(self, token_ids: Sequence[int]) -> str:
        return super().decode(token_ids).removeprefix(" ")


def test_a_tokenizer_that_begins_with_a_space_is_understood() -> None:
    assert first_tokens(Spaced(), {"1": 0.0, "2": 1.0}) == {ord("1"): 0.0, ord("2"): 1.0}
    assert continued(Spaced(), [ord(each) for each in " Two"]) == " Two"
