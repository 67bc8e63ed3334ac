"""`custom:`, each of which is asked for in one prompt of the benchmark alone."""

import csv
import re
import unicodedata
from itertools import pairwise

from training.verifiers.ifbench.text import AROUND, bare_words, sentences

CAPITALS = (
    "Reykjavik Helsinki Oslo Tallinn Stockholm Riga Moscow Copenhagen Vilnius Minsk Dublin Berlin "
    "Amsterdam Warsaw London Brussels Prague Luxembourg Paris Vienna Bratislava Budapest Vaduz "
    "Chisinau Bern Ljubljana Zagreb"
).split()
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
COUNTRIES = 52
OPTION = re.compile(r"[A-Ea-e][.|)]\s*\w+")


def character_reverse(text: str) -> bool:
    return "elgae dlab" in text.lower()


def word_reverse(text: str) -> bool:
    return "bald eagle" in " ".join(reversed(bare_words(text.lower())))


def csv_city(text: str) -> bool:
    rows = list(csv.reader(text.strip().splitlines()))
    head = ["ID", "Country", "City", "Year", "Count"]
    return len(rows) == 8 and rows[0] == head and all(len(row) == 5 for row in rows)


def csv_quotes(text: str) -> bool:
    """Four rows, with tabs between fields that all stand in quotes."""
    rows = [line.split("\t") for line in text.strip().splitlines()]
    head = ["StudentID", "Subject", "Grade", "Semester", "Score"]
    if len(rows) != 4 or [field.strip().strip('"') for field in rows[0]] != head:
        return False
    fields = [field.strip() for row in rows for field in row]
    quoted = all(len(each) > 1 and each[0] == each[-1] == '"' for each in fields)
    return quoted and all(len(row) == 5 for row in rows)


def csv_special_character(text: str) -> bool:
    """Fifteen rows, one of which has a field in quotes with a sign in it."""
    lines = text.strip().splitlines()
    rows = list(csv.reader(lines, skipinitialspace=True))
    head = ["ProductID", "Category", "Brand", "Price", "Stock"]
    if len(rows) != 15 or rows[0] != head or not all(len(row) == 5 for row in rows):
        return False
    fields = (field for line in lines[1:] for field in re.findall(r'"([^"]*)"', line))
    return any(re.search(r"[^\w\s]", field) for field in fields)


def date_format_list(text: str) -> bool:
    """In Napoleon's lifetime."""
    return all(map(_is_date, text.strip().split(",")))


def _is_date(text: str) -> bool:
    found = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text.strip())
    if found is None:
        return False
    year, month, day = map(int, found.groups())
    return 1769 <= year <= 1821 and 1 <= month <= 12 and 1 <= day <= DAYS[month - 1]


def european_capitals_sort(text: str) -> bool:
    """From the north to the south."""
    named = [city.strip(AROUND + "\n") for city in _ascii(text).split(",")]
    return [city for city in named if city] == CAPITALS


def mcq_count_length(text: str) -> bool:
    """Four questions of five options each, and each longer than the one before."""
    if not text.startswith("Question"):
        return False
    asked = [part for part in re.split(r"\n*Question \d+[.|):;]?\s*", text) if part.strip()]
    lengths = []
    for part in asked:
        lines = [line.strip() for line in part.splitlines() if line.strip()]
        first = next((i for i, line in enumerate(lines) if OPTION.match(line)), len(lines))
        if sum(bool(OPTION.match(line)) for line in lines) != 5:
            return False
        lengths.append(len(" ".join(lines[:first])))
    return len(asked) == 4 and all(a < b for a, b in pairwise(lengths))


def multiples(text: str) -> bool:
    return re.findall(r"\d+", text) == ["14", "21", "28", "35", "42", "49"]


def reverse_newline(text: str) -> bool:
    """Africa's countries, each on a line, from Z to A."""
    lines = [line.strip(AROUND) for line in text.split("\n") if line.strip(AROUND)]
    start = next((i for i, line in enumerate(lines) if "Zimbabwe" in line), len(lines))
    listed = [_ascii(line) for line in lines[start:]]
    return len(listed) >= COUNTRIES and listed == sorted(listed, reverse=True)


def sentence_alphabet(text: str) -> bool:
    """26 sentences that begin with A to Z."""
    firsts = [sentence.lstrip(AROUND + "\n")[:1].lower() for sentence in sentences(text)]
    return firsts == [chr(ord("a") + i) for i in range(26)]


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


CONSTRAINTS = {
    "custom:character_reverse": character_reverse,
    "custom:word_reverse": word_reverse,
    "custom:csv_city": csv_city,
    "custom:csv_quotes": csv_quotes,
    "custom:csv_special_character": csv_special_character,
    "custom:date_format_list": date_format_list,
    "custom:european_capitals_sort": european_capitals_sort,
    "custom:mcq_count_length": mcq_count_length,
    "custom:multiples": multiples,
    "custom:reverse_newline": reverse_newline,
    "custom:sentence_alphabet": sentence_alphabet,
}
