"""Documents with reflection tokens: what is learnt of them, and what they say."""

import copy
import random
import re
from typing import Any

import pytest

from decoding import reflection
from decoding.reflection import ReflectionNames
from server.engine.prompt import TokenizerCodec
from tests.tokenizer import small_tokenizer
from tests.training.rl.small import model
from training.data.documents import IGNORE, whole
from training.data.lookups import from_ledger, looked_up, not_looked_up
from training.model import teach
from training.world import families, lookups

N = ReflectionNames()


@pytest.fixture(scope="module")
def taught() -> Any:
    tokenizer = copy.deepcopy(small_tokenizer())
    tokenizer.add_tokens(list(N.all))
    return tokenizer


def test_all_tokens_are_taught(taught: Any) -> None:
    assert len(N.all) == 15
    assert reflection.resolve(TokenizerCodec(taught)) is not None


def test_passages_are_masked_and_what_stands_between_them_is_learnt(taught: Any) -> None:
    """The authors' mask runs from the first paragraph to the last one's end."""
    rng = random.Random(0)
    two = 0
    for _ in range(300):
        document = whole(looked_up(lookups.draw(rng, "train"), rng), taught.backend_tokenizer, 896)
        learnt = taught.decode([each for each in document.labels if each != IGNORE])
        text = taught.decode(document.ids)
        passages = re.findall(rf"{N.paragraph}(.*?){N.end_of_paragraph}", text, re.DOTALL)
        assert learnt.count(f"{N.paragraph}{N.end_of_paragraph}") == len(passages)
        assert text.endswith("<|end|>")
        assert "ow many" not in learnt
        if len(passages) == 2:
            two += 1
            between = learnt.split(N.end_of_paragraph)[1]
            assert re.match(rf"{re.escape(N.irrelevant)}The number is not given\.", between) or (
                re.match(r"\[Relevant\]Of the \w+, \w+ has \d+\. \[Fully supported\]", between)
            )
    assert two


def test_what_is_said_follows_from_the_passage(taught: Any) -> None:
    rng = random.Random(1)
    kinds = set()
    for _ in range(300):
        text = "".join(piece.text for piece in looked_up(lookups.draw(rng, "train"), rng))
        *_, last = text.split(N.end_of_paragraph)
        passage = text.rpartition(N.paragraph)[2].partition(N.end_of_paragraph)[0]
        for kind in (N.fully, N.partially, N.unsupported):
            if kind in last:
                kinds.add(kind)
        if N.fully in last or N.partially in last:
            assert N.relevant in last
            said = last.partition("[Ut")[0]
            assert all(number in passage for number in re.findall(r"\d+", said))
        else:
            assert "not given" in last or last.startswith("<|user|>")
    assert kinds == {N.fully, N.partially, N.unsupported}


def test_what_needs_no_passage_has_none() -> None:
    problem = families.draw(random.Random(0), "train")
    head, said = not_looked_up(problem)
    assert not head.learn
    assert said.text == f"{N.no_retrieval}The answer is {problem.answer}.[Utility:5]<|end|>"


def test_new_tokens_begin_at_the_mean() -> None:
    tokenizer, network = copy.deepcopy(small_tokenizer()), model(0)
    known = len(tokenizer)
    before = network.get_input_embeddings().weight[:known].detach().clone()
    teach(tokenizer, network, N.all)
    after = network.get_input_embeddings().weight.detach()
    assert len(after) == len(tokenizer) == known + 15
    assert (after[:known] == before).all()
    assert after[known:].allclose(before.mean(dim=0).expand(15, -1))
    teach(tokenizer, network, N.all)
    assert len(tokenizer) == known + 15


def test_a_ledger_s_answers_alone_are_learnt(taught: Any) -> None:
    rng = random.Random(2)
    for _ in range(50):
        pieces = from_ledger(rng)
        learnt = "".join(piece.text for piece in pieces if piece.learn)
        assert re.fullmatch(r"( (\d+|none)\.)+<\|end\|>", learnt)
        text = "".join(piece.text for piece in pieces)
        facts, _, questions = text.partition("\n")
        for things, name, said in re.findall(r"Of the (\w+), (\w+) has (\w+)\.", questions):
            stated = f"Of the {things}, {name} has {said}.", f"The {things} of {name} are {said}."
            assert (said == "none") == (not any(each in facts for each in stated))
