"""Words and sentences, as the constraints mean them."""

import re
import string

PUNCTUATION = string.punctuation
AROUND = PUNCTUATION + " "
BOUNDARY = re.compile(r"([.?!]+)[\"')\]}*»”’]*(?=\s)")
ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs e.g i.e inc ltd co corp u.s u.k u.n no vol fig dept est approx "
    "gen col lt sen rep gov jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m ph.d".split()
)
TOKEN = re.compile(r"\w+(?:[-*/_.]\w+)*(?:'\w+)?|[^\w\s]")


def bare(text: str) -> str:
    """Without ASCII punctuation: `well-known` is one word then."""
    return text.translate(str.maketrans("", "", PUNCTUATION))


def bare_words(text: str) -> list[str]:
    return bare(text).split()


def word_runs(text: str) -> list[str]:
    r"""Runs of \w: `don't` is two."""
    return re.findall(r"\w+", text)


def tokens(text: str) -> list[str]:
    """Words, with hyphens and apostrophes in them, and signs, each alone."""
    return TOKEN.findall(text)


def spoken(text: str) -> list[str]:
    """Tokens that are more than a sign."""
    return [token for token in tokens(text) if any(map(str.isalnum, token))]


def sentences(text: str) -> list[str]:
    """They end at `.`, `?` or `!` before white space, but for initials and abbreviations; never at
    a line's end alone."""
    found, start = [], 0
    for match in BOUNDARY.finditer(text):
        if match[1] == "." and _abbreviates(text[start : match.start()], text[match.end() :]):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    return [each for each in [*found, text[start:].strip()] if each]


def _abbreviates(before: str, after: str) -> bool:
    words = before.split()
    last = words[-1].lstrip("\"'([{*") if words else ""
    following = after.lstrip()[:1]
    if last.lower() in ABBREVIATIONS or (len(last) == 1 and last.isupper()):
        return True
    return last.isdigit() and following.islower()
