"""Each constraint against texts that keep it and texts that do not."""

import json
from typing import Any

import pytest

from training.verifiers import BadLabel, UnknownVerifier
from training.verifiers.ifeval import CONSTRAINTS, IfEval

CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("verify_keywords", {"keyword_list": ["Sun", "moon"]}, ["the sun, the Moon"], ["the sun"]),
    (
        "verify_keyword_frequency",
        {"word": "well-known", "N": 2},
        ["Well-known and well-known."],
        ["well-known", "well-knowns and well-known", "well-known " * 3],
    ),
    ("validate_forbidden_words", {"forbidden_words": ["tea"]}, ["coffee"], ["More Tea!"]),
    ("verify_letter_frequency", {"letter": "r", "N": 3}, ["raspberry"], ["Raspberry", "berry"]),
    (
        "validate_response_language",
        {"language": "de"},
        ["Das ist ein ganz gewöhnlicher deutscher Satz über das Wetter."],
        ["This is quite an ordinary English sentence about the weather.", "123"],
    ),
    ("verify_paragraph_count", {"N": 2}, ["one\n* * *\ntwo"], ["one", "one\n* * *\n", "* * *"]),
    (
        "validate_word_constraint",
        {"N": 20, "quantifier": "around"},
        ["w " * 18, "w " * 22],
        ["w " * 17, "w " * 23],
    ),
    (
        "validate_word_constraint",
        {"N": 3, "quantifier": "at most"},
        ["one two three"],
        ["a b c d"],
    ),
    (
        "verify_sentence_constraint",
        {"N": 3, "quantifier": "at least"},
        ["One! Two? Three.", 'He said "no." She left. They met Mr. Hall again.'],
        ["One. Two.", "It is e.g. this. Two."],
    ),
    (
        "verify_sentence_constraint",
        {"N": 4, "quantifier": "around"},
        ["A one. B two. C three."],
        ["A one. B two."],
    ),
    (
        "validate_paragraphs",
        {"N": 2, "first_word": "Then", "i": 2},
        ["First this.\n\nThen that."],
        ["Then this.\n\nFirst that.", "Then", "a\n\nb\n\nThen"],
    ),
    ("verify_postscript", {"postscript_marker": "P.S."}, ["Hi.\nP.S. Bye"], ["Hi.\nP.S. ", "Hi."]),
    ("validate_placeholders", {"N": 2}, ["[name], [city]"], ["[name]", "[] []"]),
    (
        "verify_bullet_points",
        {"N": 2},
        ["* one\n- two"],
        ["* one", "**bold**\n---", "* a\n* b\n* c"],
    ),
    ("validate_title", {}, ["<<A title>>\ntext"], ["A title", "<<>>", "<<a\nb>>"]),
    (
        "validate_choice",
        {"options": "yes/no/maybe"},
        ["yes", "No".lower(), "maybe."],
        ["y", "sure"],
    ),
    ("validate_choice", {"options": "a), b), c)"}, ["a)"], ["a) b)", ""]),
    ("validate_highlighted_sections", {"N": 2}, ["*one* and **two**"], ["*one*", "* a\n* b"]),
    (
        "validate_sections",
        {"N": 2, "section_splitter": "Chapter:"},
        ["Intro\nChapter 1\ntext\nChapter: 2\ntext"],
        ["Chapter 1\ntext", "as Chapter 1 says\nChapter 2 a"],
    ),
    ("validate_json_format", {}, ['{"a": 1}', '```json\n{"a": 1}\n```'], ["a: 1", "{"]),
    (
        "validate_repeat_prompt",
        {"original_prompt": "Name a tree. First, repeat the request without change."},
        [
            "Name a tree. Oak.",
            "Name a tree. First, repeat the request without change.\nOak.",
        ],
        ["Oak.", "name a tree. Oak."],
    ),
    (
        "validate_two_responses",
        {},
        ["one\n******\ntwo"],
        ["one", "a******a", "a\n*******\nb", "a******"],
    ),
    ("validate_uppercase", {}, ["ALL CAPS 1."], ["Not ALL"]),
    ("validate_lowercase", {}, ["all small 1."], ["Not all"]),
    (
        "validate_frequency_capital_words",
        {"N": 2, "quantifier": "around"},
        ["NASA", "NASA ESA", "A B C"],
        ["none", "A B C D"],
    ),
    ("validate_end", {"end_phrase": "Is that all?"}, ["Well. Is that all?"], ["Is that all? No."]),
    ("validate_quotation", {}, ['"said"'], ["said", '"', '"half']),
    ("validate_no_commas", {}, ["one two"], ["one, two"]),
]


def label(name: str, arguments: dict[str, Any]) -> str:
    nulls = {"N": None, "quantifier": None, "word": None, "options": None}
    return json.dumps({"func_name": name, **nulls, **arguments})


@pytest.mark.parametrize(("name", "arguments", "kept", "broken"), CASES)
def test_constraints(
    name: str, arguments: dict[str, Any], kept: list[str], broken: list[str]
) -> None:
    for text in kept:
        assert IfEval().verify(text, label(name, arguments)).score == 1, text
    for text in broken:
        verdict = IfEval().verify(text, label(name, arguments))
        assert (verdict.score, verdict.reason) == (0, f"not kept: {name}"), text


def test_all_25_are_tested() -> None:
    assert {name for name, *_ in CASES} == CONSTRAINTS.keys()
    assert len(CONSTRAINTS) == 25


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_an_empty_answer_satisfies_nothing(name: str) -> None:
    arguments = next(arguments for each, arguments, *_ in CASES if each == name)
    assert IfEval().verify(" \n", label(name, arguments)).score == 0


def test_shares_and_all_or_nothing() -> None:
    both = json.dumps(
        [{"func_name": "validate_no_commas"}, {"func_name": "validate_lowercase", "N": None}]
    )
    assert IfEval().verify("Half of it", both).score == 0.5
    assert IfEval(strict=True).verify("Half of it", both).score == 0
    assert IfEval(strict=True).verify("all of it", both).score == 1


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("{", BadLabel, "not JSON"),
        ("[]", BadLabel, "should be an object with func_name"),
        ('{"N": 1}', BadLabel, "func_name"),
        ('{"func_name": "verify_nothing"}', UnknownVerifier, "no constraint 'verify_nothing'"),
        ('{"func_name": "validate_title", "N": 1}', None, ""),
        ('{"func_name": "verify_bullet_points", "N": null}', BadLabel, "needs N"),
        (
            '{"func_name": "validate_word_constraint", "N": 1, "quantifier": "about"}',
            BadLabel,
            "quantifier should be one of at least, around, at most",
        ),
    ],
)
def test_labels_that_cannot_be_read(text: str, error: type[Exception] | None, says: str) -> None:
    if error is None:
        IfEval().verify("<<t>>", text)
        return
    with pytest.raises(error, match=says):
        IfEval().verify("text", text)
