"""The answer within a reply, and whether two answers are the same."""

import re
from decimal import Decimal, InvalidOperation

STATED = re.compile(r"answer(?:\s+is|\s*:)[ :*]*", re.IGNORECASE)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def extract(text: str) -> str | None:
    """What is stated last as "the answer is …" or "Answer: …", else the last number, else None."""
    stated = list(STATED.finditer(text))
    if stated:
        line, *_ = text[stated[-1].end() :].split("\n")
        return line.strip().rstrip(".").strip("* ") or None
    numbers = NUMBER.findall(text)
    return str(numbers[-1]) if numbers else None


def same(one: str, other: str) -> bool:
    """Numbers by value, so that 1,000 is 1000.0; all else by letters, case and space aside."""
    a, b = _number(one), _number(other)
    if a is not None and b is not None:
        return a == b
    return _normal(one) == _normal(other)


def _number(text: str) -> Decimal | None:
    if not NUMBER.fullmatch(text.strip()):
        return None
    try:
        return Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
