"""`sentence:`."""

import re
from itertools import groupby, pairwise

from training.verifiers.ifbench.text import AROUND, bare_words, sentences


def alliteration_increment(text: str) -> bool:
    """Each sentence has more words in alliteration than the one before."""
    scores = [_alliterating(sentence) for sentence in sentences(text)]
    return all(a < b for a, b in pairwise(scores))


def _alliterating(sentence: str) -> int:
    firsts = [word[0] for each in sentence.lower().split() if (word := each.lstrip(AROUND))]
    runs = (len(list(run)) for _, run in groupby(firsts))
    return sum(length for length in runs if length > 1)


def increment(text: str, small_n: int) -> bool:
    """Each sentence has so many words more than the one before."""
    lengths = [len(bare_words(sentence)) for sentence in sentences(text)]
    return all(b == a + small_n for a, b in pairwise(lengths))


def keyword(text: str, word: str, N: int) -> bool:
    """In the N-th sentence."""
    found = sentences(text)
    pattern = rf"\b{re.escape(word)}\b"
    return len(found) >= N and bool(re.search(pattern, found[N - 1], re.IGNORECASE))


CONSTRAINTS = {
    "sentence:alliteration_increment": alliteration_increment,
    "sentence:increment": increment,
    "sentence:keyword": keyword,
}
