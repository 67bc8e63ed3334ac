"""Whatever a model says, citations are of their passages, and what is given up could not win."""

import asyncio
import random
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from decoding.critique import Weights
from decoding.passages import Given, Passage
from decoding.self_rag import SelfRag, SelfRagConfig
from decoding.types import Delta, Event, Evidence, Final, Sampling
from tests.decoding.saying import CODEC, N, Scripted
from tests.decoding.test_self_rag import PROMPT, writer_of

PASSAGES = [Passage(str(number), f"Fact {number}.") for number in range(5)]

configs = st.builds(
    SelfRagConfig,
    mode=st.sampled_from(["adaptive", "always"]),
    threshold=st.sampled_from([0.2, 0.5]),
    top_k=st.integers(1, 4),
    beam=st.integers(1, 3),
    max_segments=st.integers(1, 4),
    weights=st.builds(
        Weights,
        relevance=st.sampled_from([0.0, 1.0, 3.0]),
        support=st.sampled_from([0.0, 1.0]),
        utility=st.sampled_from([0.0, 0.5, 2.0]),
    ),
    require_support=st.booleans(),
)


def model(prompt: str, seed: int) -> tuple[str, Mapping[str, float]]:
    """Anything at all, but always the same after the same."""
    rng = random.Random(f"{seed}:{prompt}")
    chances = {name: rng.random() for name in (N.retrieval, N.no_retrieval)}
    chances |= {name: rng.random() for name in (N.relevant, N.irrelevant, *N.utilities)}
    chances |= {name: rng.random() for name in (N.fully, N.partially, N.unsupported)}
    said = rng.choice([N.relevant, N.irrelevant, ""]) + rng.choice(["One. ", "Two.", "", " 3"])
    said += rng.choice([N.fully, N.partially, N.unsupported, ""])
    said += rng.choice([N.utilities[4], N.utilities[0], ""])
    return said + rng.choice([N.retrieval, N.no_retrieval, N.same_evidence, "<|end|>"]), chances


async def said(seed: int, config: SelfRagConfig, *, exhaustive: bool) -> list[Event]:
    engine = Scripted(lambda prompt: model(prompt, seed))
    policy = SelfRag(config, CODEC, Given(PASSAGES), "Q?", writer_of(config), exhaustive=exhaustive)
    sampling = Sampling(200, temperature=0.0)
    return [event async for event in policy.run(engine, PROMPT, sampling)]


def content(events: list[Event]) -> str:
    return "".join(each.text for each in events if isinstance(each, Delta))


def evidence(events: list[Event]) -> Evidence:
    final = events[-1]
    assert isinstance(final, Final)
    assert final.evidence is not None
    usage = final.usage
    assert usage.completion == usage.generated - usage.discarded + usage.injected
    assert usage.discarded >= 0
    return final.evidence


@given(st.integers(0, 10_000), configs)
def test_what_cannot_win_is_given_up_and_changes_nothing(seed: int, config: SelfRagConfig) -> None:
    whole = asyncio.run(said(seed, config, exhaustive=True))
    pruned = asyncio.run(said(seed, config, exhaustive=False))
    assert content(whole) == content(pruned)
    assert evidence(whole).citations == evidence(pruned).citations
    assert len(evidence(pruned).trials) <= len(evidence(whole).trials)


@given(st.integers(0, 10_000), configs)
def test_numbers_are_those_of_their_passages(seed: int, config: SelfRagConfig) -> None:
    events = asyncio.run(said(seed, config, exhaustive=False))
    text, found = content(events), evidence(events)
    numbers: dict[str, int] = {}
    for citation in found.citations:
        assert text[citation.end :].startswith(f" [{citation.number}]")
        assert text[citation.start : citation.end].strip()
        assert numbers.setdefault(citation.document_id, citation.number) == citation.number
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))
    chosen = [each for each in found.trials if each.chosen]
    for citation in found.citations:
        words = text[citation.start : citation.end]
        assert any(
            each.document_id == citation.document_id and each.text.strip() == words
            for each in chosen
        )
