"""The 25 constraints of Tülu 3's instruction-following reward, by their names in its data.

After arXiv 2411.15124 (section 6.2, RLVR-IFEval) and IFEval (arXiv 2311.07911). A label is a JSON
object of `func_name` and the function's arguments, nulls aside, or a list of such objects.

Where the published functions disagree with what their prompts ask for, these do what the prompts
ask: options are split, not read letter by letter; "around" is within a tenth for capital words too;
"!" ends sentences; a section's mark must stand at the start of a line; the repeated request may
leave out the sentence that asks for the repetition; an empty answer satisfies nothing.
"""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from training.verifiers.verifier import BadLabel, UnknownVerifier, Verdict

Constraint = Callable[..., bool]
QUANTIFIERS = ("at least", "around", "at most")
SENTENCE_END = re.compile(r"(?<!\b[A-Z][a-z]\.)(?<!\w\.\w.)(?<=[.?!])[\"')\]]*\s+")
BULLET = re.compile(r"^\s*[*-]\s+\S", re.MULTILINE)
HIGHLIGHT = re.compile(r"(?<!\*)\*\*?(?!\s|\*)[^\n*]*[^\s*]\*\*?(?!\*)")
CAPITAL = re.compile(r"\b[A-Z]+\b")
WORD = re.compile(r"\w+")


class IfEval:
    """strict: all constraints or nothing; else the share of them that hold."""

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict

    def verify(self, completion: str, label: str) -> Verdict:
        constraints = read(label)
        text = completion.strip()
        broken = [name for name, holds in constraints if not text or not holds(text)]
        share = 1 - len(broken) / len(constraints)
        reason = f"not kept: {', '.join(broken)}" if broken else "all kept"
        return Verdict(float(not broken) if self._strict else share, reason)


def read(label: str) -> list[tuple[str, Callable[[str], bool]]]:
    """Names of the constraints, and what says whether a text keeps them.

    Raises BadLabel, and UnknownVerifier for a name that is none of the 25.
    """
    try:
        said = json.loads(label)
    except ValueError as error:
        raise BadLabel(f"ifeval: the label is not JSON: {error}") from error
    rows = said if isinstance(said, list) else [said]
    if not rows or not all(isinstance(row, dict) and "func_name" in row for row in rows):
        raise BadLabel("ifeval: a label should be an object with func_name, or a list of them")
    return [(row["func_name"], bound(row)) for row in rows]


def bound(row: Mapping[str, Any]) -> Callable[[str], bool]:
    """Raises BadLabel for arguments that are missing, and UnknownVerifier."""
    name = row["func_name"]
    function = CONSTRAINTS.get(name)
    if function is None:
        raise UnknownVerifier(f"ifeval: there is no constraint {name!r}")
    names = list(inspect.signature(function).parameters)[1:]
    given = {key: row[key] for key in names if row.get(key) is not None}
    missing = [key for key in names if key not in given]
    if missing:
        raise BadLabel(f"ifeval: {name} needs {', '.join(missing)}")
    if given.get("quantifier", QUANTIFIERS[0]) not in QUANTIFIERS:
        raise BadLabel(f"ifeval: quantifier should be one of {', '.join(QUANTIFIERS)}")
    return lambda text: function(text, **given)


def verify_keywords(text: str, keyword_list: Sequence[str]) -> bool:
    return all(keyword.lower() in text.lower() for keyword in keyword_list)


def verify_keyword_frequency(text: str, word: str, N: int) -> bool:
    """As a word of its own, whatever its case."""
    pattern = rf"(?<!\w){re.escape(word.lower())}(?!\w)"
    return len(re.findall(pattern, text.lower())) == N


def validate_forbidden_words(text: str, forbidden_words: Sequence[str]) -> bool:
    return not any(verify_keywords(text, [word]) for word in forbidden_words)


def verify_letter_frequency(text: str, letter: str, N: int) -> bool:
    return text.count(letter) == N


def validate_response_language(text: str, language: str) -> bool:
    """language: an ISO 639-1 code. Detection is seeded, so that the same text is the same."""
    from langdetect import DetectorFactory, LangDetectException, detect

    DetectorFactory.seed = 0
    try:
        return bool(detect(text) == language)
    except LangDetectException:  # nothing in it that a language could be told by
        return False


def verify_paragraph_count(text: str, N: int) -> bool:
    """Paragraphs stand between lines of `* * *`."""
    paragraphs = text.split("* * *")
    return len(paragraphs) == N and all(each.strip() for each in paragraphs)


def validate_word_constraint(text: str, N: int, quantifier: str) -> bool:
    return counted(len(text.split()), N, quantifier)


def verify_sentence_constraint(text: str, N: int, quantifier: str) -> bool:
    count = 1 + len(SENTENCE_END.findall(text.strip()))
    return abs(count - N) <= 1 if quantifier == "around" else counted(count, N, quantifier)


def validate_paragraphs(text: str, N: int, first_word: str, i: int) -> bool:
    """N paragraphs between empty lines, of which the i-th, from 1, begins with a word."""
    paragraphs = text.strip().split("\n\n")
    if len(paragraphs) != N or not 1 <= i <= N:
        return False
    return paragraphs[i - 1].strip().startswith(first_word)


def verify_postscript(text: str, postscript_marker: str) -> bool:
    _, marker, after = text.partition(postscript_marker)
    return bool(marker and after.strip())


def validate_placeholders(text: str, N: int) -> bool:
    return len(re.findall(r"\[[^\[\]\n]+\]", text)) >= N


def verify_bullet_points(text: str, N: int) -> bool:
    lines = BULLET.findall(text)
    return len(lines) == N


def validate_title(text: str) -> bool:
    return any(title.strip() for title in re.findall(r"<<([^\n]*?)>>", text))


def validate_choice(text: str, options: str | Sequence[str]) -> bool:
    """One of them, and nothing but punctuation beside it. options: `a), b)`, `yes/no` or a list."""
    listed = re.split(r",\s*|/", options) if isinstance(options, str) else options
    return text.strip(" \n.!\"'") in {each.strip(" \n.!\"'") for each in listed}


def validate_highlighted_sections(text: str, N: int) -> bool:
    return len(HIGHLIGHT.findall(text)) >= N


def validate_sections(text: str, N: int, section_splitter: str) -> bool:
    """Each begins with the mark and a number or letter, at the start of a line."""
    mark = re.escape(section_splitter.strip().rstrip("X: "))
    pattern = rf"^[\s#*]*{mark}:?\s*\w+"
    return len(re.findall(pattern, text, re.MULTILINE | re.IGNORECASE)) == N


def validate_json_format(text: str) -> bool:
    """The whole text, or the whole of the one block of code that it is."""
    block = re.fullmatch(r"```(?:json)?\s*\n(.*)\n```", text.strip(), re.DOTALL | re.IGNORECASE)
    try:
        json.loads(block[1] if block else text)
    except (ValueError, RecursionError):
        return False
    return True


def validate_repeat_prompt(text: str, original_prompt: str) -> bool:
    """The request comes first, whole or without the sentence that asks to repeat it."""
    wanted = original_prompt.strip()
    request, asks, _ = wanted.partition("First, repeat the request")
    shorter = request.strip() if asks else wanted
    return text.startswith((wanted, shorter)) if shorter else text.startswith(wanted)


def validate_two_responses(text: str) -> bool:
    parts = [part.strip() for part in re.split(r"(?<!\*)\*{6}(?!\*)", text)]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def validate_uppercase(text: str) -> bool:
    return text == text.upper()


def validate_lowercase(text: str) -> bool:
    return text == text.lower()


def validate_frequency_capital_words(text: str, N: int, quantifier: str) -> bool:
    return counted(len(CAPITAL.findall(text)), N, quantifier)


def validate_end(text: str, end_phrase: str) -> bool:
    return text.rstrip().endswith((end_phrase, end_phrase.rstrip(".") + "."))


def validate_quotation(text: str) -> bool:
    said = text.strip()
    return len(said) > 1 and said.startswith('"') and said.endswith('"')


def validate_no_commas(text: str) -> bool:
    return "," not in text


def counted(found: int, wanted: int, quantifier: str) -> bool:
    """Around: within a tenth, and one at least."""
    if quantifier == "at least":
        return found >= wanted
    if quantifier == "at most":
        return found <= wanted
    return abs(found - wanted) <= max(round(0.1 * wanted), 1)


CONSTRAINTS: Mapping[str, Constraint] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            *(verify_keywords, verify_keyword_frequency, validate_forbidden_words),
            *(verify_letter_frequency, validate_response_language, verify_paragraph_count),
            *(validate_word_constraint, verify_sentence_constraint, validate_paragraphs),
            *(verify_postscript, validate_placeholders, verify_bullet_points, validate_title),
            *(validate_choice, validate_highlighted_sections, validate_sections),
            *(validate_json_format, validate_repeat_prompt, validate_two_responses),
            *(validate_uppercase, validate_lowercase, validate_frequency_capital_words),
            *(validate_end, validate_quotation, validate_no_commas),
        )
    }
)
