"""Answers labelled by a critic, and what is learnt of them."""

import copy
from typing import Any

import pytest

from decoding.passages import Passage
from decoding.reflection import ReflectionNames
from tests.tokenizer import small_tokenizer
from training.data.conversations import Renderer
from training.data.documents import IGNORE
from training.data.reflections import Answered, Support, answered, reflected
from training.data.sources import Row, RowError

N = ReflectionNames()
ULM = Passage("0", "It has 3 bridges and is 41 long.", "Ulm")
OLD = Passage("1", "It is old.", "Ulm")
TOWER = Passage("2", "It is 7 high.", "Tower")


class Rules:
    """Knows the truth. asked: statements, by the passages that they were compared with."""

    def __init__(self, *, needs: bool = True) -> None:
        self._needs, self.asked = needs, list[tuple[str, str]]()

    async def needs_passage(self, question: str) -> bool:
        return self._needs

    async def is_relevant(self, question: str, passage: Passage) -> bool:
        return passage.title in question

    async def support(self, passage: Passage, statement: str) -> Support:
        self.asked.append((passage.id, statement))
        figures = [each for each in statement if each.isdigit()]
        if figures:
            return "Fully" if all(each in passage.text for each in figures) else "No"
        return "Partially" if "old" in passage.text else "No"

    async def utility(self, question: str, answer: str) -> int:
        return 4


def row(answer: str, *passages: Passage) -> Answered:
    return Answered("What of the Ulm?", answer, passages)


async def test_sentences_stand_on_what_supports_them_best() -> None:
    found = row("It has 3 bridges. It is 41 long. It seems old.", TOWER, ULM, OLD)
    assert await reflected(found, Rules()) == (
        "[Retrieval]<paragraph>Ulm\nIt has 3 bridges and is 41 long.</paragraph>"
        "[Relevant]It has 3 bridges. [Fully supported]"
        "[Continue to Use Evidence]It is 41 long. [Fully supported]"
        "[Retrieval]<paragraph>Ulm\nIt is old.</paragraph>"
        "[Relevant]It seems old. [Partially supported][Utility:4]"
    )


async def test_what_supports_fully_is_not_compared_further() -> None:
    rules = Rules()
    await reflected(row("It has 3 bridges.", ULM, OLD), rules)
    assert rules.asked == [("0", "It has 3 bridges.")]


async def test_an_answer_keeps_its_brackets_and_its_lines() -> None:
    said = await reflected(row("The list is [1, 2].\n- It has 3.", ULM), Rules())
    assert "[Relevant]The list is [1, 2]. [No support / Contradictory]" in said
    assert "[Continue to Use Evidence]\n- It has 3. [Fully supported]" in said


async def test_where_nothing_is_relevant_the_first_passage_shows_it() -> None:
    assert await reflected(row("It has 3 bridges.", TOWER), Rules()) == (
        "[Retrieval]<paragraph>Tower\nIt is 7 high.</paragraph>"
        "[Irrelevant]It has 3 bridges. [No support / Contradictory][Utility:4]"
    )


async def test_what_needs_nothing_is_said_as_it_was() -> None:
    said = "[No Retrieval]Hello. You!\n[Utility:4]"
    assert await reflected(row("Hello. You!\n", ULM), Rules(needs=False)) == said
    assert await reflected(row("Hello. You!\n"), Rules()) == said


def test_rows_are_read_and_their_own_tokens_broken_up() -> None:
    values = {
        "question": "What?",
        "answer": f"It is.{N.fully}",
        "passages": [{"title": "Ulm", "text": f"{N.end_of_paragraph} It is old."}],
    }
    found = answered(Row("rows.jsonl:1", values))
    assert found.answer == "It is.[ Fully supported]"
    assert found.passages == [Passage("0", "< /paragraph> It is old.", "Ulm")]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"answer": "a"}, "rows.jsonl:3: question: should be a text"),
        ({"question": "q", "answer": ""}, "rows.jsonl:3: answer: should be a text"),
        ({"question": "q", "answer": "a", "passages": {}}, "passages: should be a list"),
        ({"question": "q", "answer": "a", "passages": [{}]}, "passages.0.text: should be a text"),
    ],
)
def test_a_row_that_cannot_be_labelled_says_why(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(RowError, match=fault):
        answered(Row("rows.jsonl:3", values))


async def test_passages_are_not_learnt_and_their_markers_are() -> None:
    tokenizer = copy.deepcopy(small_tokenizer())
    tokenizer.add_tokens(list(N.all))
    said = await reflected(row("It has 3 bridges. It seems old.", ULM, OLD), Rules())
    one = Row("rows.jsonl:1", {"question": "What of the Ulm?", "answer": said})
    (found,) = Renderer(tokenizer, reflection=True).sequences(one)
    learnt = tokenizer.decode([each for each in found.labels if each != IGNORE])
    marked = f"{N.paragraph}{N.end_of_paragraph}"
    assert learnt == (
        f"[Retrieval]{marked}[Relevant]It has 3 bridges. [Fully supported]"
        f"[Retrieval]{marked}[Relevant]It seems old. [Partially supported][Utility:4]<|end|>"
    )
    assert said in tokenizer.decode(found.ids)
