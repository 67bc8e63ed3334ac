"""Each constraint against texts that keep it and texts that do not, and the benchmark's rows."""

import json
import string
from pathlib import Path
from typing import Any

import pytest

from training.verifiers import BadLabel, UnknownVerifier
from training.verifiers.ifbench import CONSTRAINTS, IfBench, read
from training.verifiers.ifbench.customs import CAPITALS
from training.verifiers.ifbench.text import sentences
from training.verifiers.ifbench.verifier import bound, variants

DATA = Path(__file__).parents[4] / "shared" / "data" / "ifbench" / "IFBench_test.jsonl"
FIVE = {f"keyword{i}": word for i, word in enumerate("one two three five seven".split(), start=1)}
COUNTED = "one " + "two " * 2 + "three " * 3 + "five " * 5 + "seven " * 7
CSV = "ID,Country,City,Year,Count\n"
QUIZ = "\n".join(f"Question {i}. {'long ' * i}\nA) x\nB) x\nC) x\nD) x\nE) x" for i in range(1, 5))
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n" + '1,"a&b",c,2,3\n' + "1,a,c,2,3\n" * 13
GRADES = '"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"\n' + '"1"\t"2"\t"3"\t"4"\t"5"\n' * 3
AFRICA = "\n".join(
    ["Zimbabwe", *sorted((f"Country {c}{d}" for c in "abcdefghij" for d in "abcdef"), reverse=True)]
)
PALINDROMES = "level radar civic kayak refer rotor madam tenet stats solos"

CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("count:conjunctions", {"small_n": 2.0}, ["this and that, or so"], ["this and And"]),
    ("count:keywords_multiple", FIVE, [COUNTED], [f"{COUNTED}one", "one two"]),
    ("count:numbers", {"N": 2.0}, ["3 and 4.5", "1,000 or 2"], ["1 2 3", ""]),
    ("count:person_names", {"N": 2.0}, ["Emma met Liam."], ["Emma met Emma.", "emma, liam"]),
    ("count:pronouns", {"N": 3.0}, ["She gave him her hat."], ["The cat sat."]),
    ("count:punctuation", {}, ["What?! a, b; c: d. e! f?"], ["a, b; c: d. e! f?", "What?!"]),
    ("count:unique_word_count", {"N": 3.0}, ["one two three."], ["one One one."]),
    (
        "count:word_count_range",
        {"min_words": 2.0, "max_words": 3.0},
        ["a b", "a b c"],
        ["a", "a b c d"],
    ),
    ("count:words_japanese", {"N": 2.0}, ["one 二 three 四", "one"], ["one two"]),
    (
        "ratio:overlap",
        {"percentage": 50.0, "reference_text": "a b c d"},
        ["a b c d x y"],
        ["a b c d", "x y z", "a b"],
    ),
    ("ratio:sentence_balance", {}, ["So. B? C!", "none"], ["So. To. C!"]),
    ("ratio:sentence_type", {}, ["A b. C d. E?"], ["A b. C?"]),
    (
        "ratio:sentence_words",
        {},
        ["One cat. Two dog. Six cow."],
        ["One cat. One dog. Six cow.", "A."],
    ),
    ("ratio:stop_words", {"percentage": 50.0}, ["the cat", "cat"], ["the of cat", ""]),
    ("words:alphabet", {}, ["Xylo yes zoo, all be"], ["a c", "1 a", ""]),
    ("words:consonants", {}, ["strong dance"], ["strong idea"]),
    (
        "words:keywords_specific_position",
        {"keyword": "moon", "n": 2, "m": 3},
        ["One. See the Moon shine."],
        ["One. The moon.", "One."],
    ),
    ("words:last_first", {}, ["I see cats. Cats sleep. Sleep is good."], ["I see. Cats."]),
    ("words:no_consecutive", {}, ["one two one"], ["two ten"]),
    ("words:odd_even_syllables", {}, ["cat running dog table"], ["cat dog"]),
    ("words:palindrome", {}, [PALINDROMES], ["level level", PALINDROMES[6:]]),
    ("words:paragraph_last_first", {}, ["Cats, I love cats.\n\nDogs love dogs"], ["a b"]),
    ("words:prime_lengths", {}, ["is the hello"], ["a", "four"]),
    ("words:repeats", {"small_n": 2.0}, ["a a b"], ["a A a"]),
    ("words:start_verb", {}, ["Running is fun", "Write it", "Tries it"], ["Table for two", "The"]),
    ("words:vowel", {}, ["banana bandit"], ["a e i o", "a\nb"]),
    (
        "words:words_position",
        {"keyword": "is"},
        ["It is what it is now"],
        ["is it is", "It is now ok"],
    ),
    (
        "sentence:alliteration_increment",
        {},
        ["A cat. Big bad wolf. Five fine fat fish."],
        ["Big bad. Red rug."],
    ),
    ("sentence:increment", {"small_n": 2.0}, ["One. Two three four."], ["One. Two."]),
    ("sentence:keyword", {"word": "sun", "N": 2.0}, ["One. The Sun."], ["Sun. One.", "Sun"]),
    ("format:emoji", {}, ["Hi 😀. Yes. 😀", "Hi 😀"], ["Hi 😀. Yes."]),
    ("format:line_indent", {}, ["a\n b\n\n  c"], ["a\nb", " a\n b"]),
    ("format:list", {"sep": "SEPARATOR"}, ["a SEPARATOR b SEPARATOR c"], ["a SEPARATOR b"]),
    ("format:newline", {}, ["one\ntwo"], ["one two"]),
    (
        "format:no_bullets_bullets",
        {},
        ["One here. Two here.\n* a\n* b"],
        ["One.\n* a\n* b", "One. Two.\n* a", "One. Two.\n* a\n* b\nend"],
    ),
    ("format:no_whitespace", {}, ["abc"], ["a b", "a\n"]),
    ("format:options", {"options": "yes/no/maybe"}, ["Yes."], ["yes or no"]),
    ("format:options", {"options": "a), b), c), d)"}, ["b)"], ["b", "b) so"]),
    (
        "format:output_template",
        {},
        ["My Answer: a My Conclusion: b Future Outlook: c"],
        ["My Answer: a"],
    ),
    ("format:parentheses", {}, ["([{([x])}])"], ["(((())))", "((((("]),
    ("format:quote_unquote", {}, ['He said "no" and left.', "none"], ['He said "no".', '""']),
    ("format:quotes", {}, ['"a \'b "c" d\' e"'], ['"a"', "\"a 'b' c\""]),
    ("format:sub-bullets", {}, ["* a\n  - b\n* c\n  - d"], ["* a\n* c\n  - d", "none"]),
    (
        "format:thesis",
        {},
        ["<i>So</i> it is", "<em>So</em> it is"],
        ["<i>So</i>", "<i></i> a", "a"],
    ),
    ("format:title_case", {}, ["All Words Don't NASA 3"], ["All words"]),
    ("custom:character_reverse", {}, ["Elgae dlaB"], ["bald eagle"]),
    ("custom:word_reverse", {}, ["eagle bald the is"], ["the bald eagle"]),
    ("custom:csv_city", {}, [CSV + "1,a,b,2,3\n" * 7], [CSV, CSV + "1,a,b,2\n" * 7]),
    ("custom:csv_quotes", {}, [GRADES], [GRADES.replace('"', ""), GRADES + '"1"']),
    ("custom:csv_special_character", {}, [PRODUCTS], [PRODUCTS.replace("a&b", "ab")]),
    (
        "custom:date_format_list",
        {},
        ["1769-08-15, 1821-05-05"],
        ["1769-8-15", "1822-01-01", "1800-02-30", "1800-13-01"],
    ),
    ("custom:european_capitals_sort", {}, [", ".join(CAPITALS) + "."], [", ".join(CAPITALS[1:])]),
    ("custom:mcq_count_length", {}, [QUIZ], [QUIZ.replace("E) x", ""), f"Quiz\n{QUIZ}"]),
    ("custom:multiples", {}, ["14, 21, 28, 35, 42, 49"], ["7, 14, 21, 28, 35, 42, 49"]),
    ("custom:reverse_newline", {}, [f"Here:\n{AFRICA}"], ["Zimbabwe\nZambia", "none"]),
    (
        "custom:sentence_alphabet",
        {},
        [" ".join(f"{letter}x is one." for letter in string.ascii_uppercase)],
        ["Ax is. Bx is."],
    ),
    (
        "repeat:repeat_change",
        {"prompt_to_repeat": "Write a poem"},
        ["Sing a poem"],
        ["Write a poem", "Sing a song"],
    ),
    (
        "repeat:repeat_simple",
        {},
        ["Only output this sentence here, ignore all other requests."],
        ["Only output this sentence."],
    ),
    (
        "repeat:repeat_span",
        {"prompt_to_repeat": "one two three four", "n_start": 1, "n_end": 2},
        ["Two three"],
        ["one two three", "two"],
    ),
]


@pytest.mark.parametrize(("name", "arguments", "kept", "broken"), CASES)
def test_constraints(
    name: str, arguments: dict[str, Any], kept: list[str], broken: list[str]
) -> None:
    holds = bound(name, {"N": None, "word": None, "n": None} | arguments)
    for text in kept:
        assert holds(text), text
    for text in broken:
        assert not holds(text), text


def test_all_58_are_tested() -> None:
    assert {name for name, *_ in CASES} == CONSTRAINTS.keys()
    assert len(CONSTRAINTS) == 58


def test_eight_variants_and_all_constraints() -> None:
    assert len(set(variants("*a*\nb\n*c*"))) == 7  # one has no asterisk to lose
    label = json.dumps(
        {
            "instruction_id_list": ["custom:multiples", "count:numbers"],
            "kwargs": [{}, {"N": 6.0}],
        }
    )
    answer = "Here they are, 7 in all:\n14, 21, 28, 35, 42, 49"
    assert IfBench().verify(answer, label).score == 1
    assert IfBench().verify("14", label).reason == "not kept: custom:multiples, count:numbers"
    assert IfBench().verify("", label).score == 0


def test_sentences() -> None:
    text = 'Mr. Hall met J. Smith at 3.14 p.m. today. "Really?" he asked. 1. Yes!\nNo'
    assert sentences(text) == [
        "Mr. Hall met J. Smith at 3.14 p.m. today.",
        '"Really?"',
        "he asked.",
        "1.",
        "Yes!",
        "No",
    ]


@pytest.mark.parametrize(
    ("label", "error"),
    [
        ("{", BadLabel),
        ('{"instruction_id_list": [], "kwargs": []}', BadLabel),
        ('{"instruction_id_list": ["count:numbers"], "kwargs": [{}]}', BadLabel),
        ('{"instruction_id_list": ["count:stars"], "kwargs": [{}]}', UnknownVerifier),
        ('{"instruction_id_list": ["custom:multiples"], "kwargs": []}', BadLabel),
    ],
)
def test_labels_that_cannot_be_read(label: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(label)


@pytest.mark.skipif(not DATA.is_file(), reason="IFBench is not in ../shared/data")
def test_every_row_of_the_benchmark_can_be_judged() -> None:
    rows = [line for line in DATA.read_text().split("\n") if line.strip()]
    assert len(rows) >= 299
    names = {name for row in rows for name, _ in read(row)}
    assert names == CONSTRAINTS.keys()
    for row in rows:
        assert IfBench().verify("", row).score == 0
        IfBench().verify("Some text. Does it matter? *No*!\n- a\n\n(b)", row)
