"""Answers that a text concludes with: the mini world's, GSM8K's, exact ones, words in common."""

import re
from collections import Counter
from decimal import Decimal, InvalidOperation

from decoding.answers import extract, same
from training.verifiers.verifier import BadLabel, Verdict, judged

NUMBER = re.compile(r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
WORD = re.compile(r"\w+")
ARTICLES = frozenset({"a", "an", "the"})


class Answer:
    """The answer that the text concludes with equals the label, as votes count them."""

    def verify(self, completion: str, label: str) -> Verdict:
        answer = extract(completion)
        if answer is None:
            return judged(False, "no answer is stated")
        return judged(same(answer, label), f"the answer is {answer!r}, and {label!r} is right")


class Gsm8k:
    """The last number of the text equals the label's, as numbers: 18.0 is 18.

    The label may be a whole GSM8K solution, whose number stands behind ####.
    """

    def verify(self, completion: str, label: str) -> Verdict:
        wanted = _last_number(label.rpartition("####")[2])
        if wanted is None:
            raise BadLabel(f"gsm8k: {label[-40:]!r} has no number")
        found = _last_number(completion)
        if found is None:
            return judged(False, "there is no number")
        return judged(found == wanted, f"the last number is {found}, and {wanted} is right")


class Exact:
    """The whole text is the label, but for white space around it."""

    def verify(self, completion: str, label: str) -> Verdict:
        return judged(completion.strip() == label.strip(), f"should be {label!r}")


class WordF1:
    """Words in common with the label: the harmonic mean of precision and recall, as SQuAD has it
    (arXiv 1606.05250, 6.1): lower case, without articles and punctuation."""

    def verify(self, completion: str, label: str) -> Verdict:
        found, wanted = _words(completion), _words(label)
        common = sum((Counter(found) & Counter(wanted)).values())
        if not common:
            return Verdict(float(not found and not wanted), "no word in common")
        precision, recall = common / len(found), common / len(wanted)
        score = 2 * precision * recall / (precision + recall)
        return Verdict(score, f"{common} words in common")


class Format:
    """Whether any answer is stated, whatever it is."""

    def verify(self, completion: str, label: str) -> Verdict:
        answer = extract(completion)
        return judged(answer is not None, "no answer is stated" if answer is None else "stated")


def _last_number(text: str) -> Decimal | None:
    numbers = NUMBER.findall(text)
    if not numbers:
        return None
    try:
        return Decimal(numbers[-1].replace(",", ""))
    except InvalidOperation:  # pragma: no cover - the pattern finds nothing else
        return None


def _words(text: str) -> list[str]:
    return [word for word in WORD.findall(text.lower()) if word not in ARTICLES]
