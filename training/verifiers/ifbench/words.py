"""`words:`."""

import re
from collections import Counter
from itertools import pairwise

from training.verifiers.ifbench.text import bare_words, sentences, spoken

CONSONANTS = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")
PRIMES = frozenset(n for n in range(2, 100) if all(n % d for d in range(2, n)))
VERBS = frozenset(
    "accept act add address admit advise agree aim allow answer apply approach arrange arrive ask "
    "assume avoid bake be bear beat become begin believe blend boil book break bring build buy "
    "call carry catch celebrate change check choose clean click climb close collect combine come "
    "compare consider continue cook count cover create cut dance deal decide define describe "
    "design develop dig discover discuss do draw dream dress drink drive drop eat embrace "
    "encourage enjoy ensure enter establish examine exist expect explain explore express face "
    "fall feel fight fill find finish fix fly focus follow forget form gather get give go grab "
    "grow guide handle happen have hear help hide hold hope identify imagine implement improve "
    "include increase inform introduce invest invite join jump keep know laugh lead learn leave "
    "let lie lift light limit list listen live look lose love make manage mark meet mix move need "
    "note observe offer open order organize paint pass pay pick plan plant play point pour "
    "practice prepare present press prevent produce protect provide pull push put raise reach "
    "read realize receive recognize reduce reflect remain remember remove replace report require "
    "rest return ride rise run save say search see seek sell send serve set share shine show sing "
    "sit sleep speak spend stand start stay step stir stop study suggest support take talk taste "
    "teach tell test thank think throw touch train travel try turn understand unlock use visit "
    "wait wake walk want watch wear win wonder work write".split()
)
VERB_FORMS = frozenset("am is are was were been being has had having does did done doing".split())


def alphabet(text: str) -> bool:
    """Each word begins with the letter after that of the word before; a comes after z."""
    firsts = [word[0].lower() for word in bare_words(text)]
    if not firsts or not "a" <= firsts[0] <= "z":
        return False
    start = ord(firsts[0]) - ord("a")
    return all(ord(each) - ord("a") == (start + i) % 26 for i, each in enumerate(firsts))


def consonants(text: str) -> bool:
    """Every word has two of them beside each other."""
    return all(CONSONANTS.search(word) for word in text.lower().split())


def keyword_position(text: str, keyword: str, n: int, m: int) -> bool:
    """The m-th word of the n-th sentence."""
    found = sentences(text)
    words = spoken(found[n - 1]) if len(found) >= n else []
    return len(words) >= m and words[m - 1].lower() == keyword.lower()


def last_first(text: str) -> bool:
    """Each sentence begins with the word that the one before ended with."""
    words = [bare_words(sentence.lower()) for sentence in sentences(text)]
    return all(a and b and a[-1] == b[0] for a, b in pairwise(words))


def no_consecutive(text: str) -> bool:
    """No two words beside each other begin alike."""
    firsts = [word[0] for word in bare_words(text.lower())]
    return all(a != b for a, b in pairwise(firsts))


def odd_even_syllables(text: str) -> bool:
    counts = [syllables(word) % 2 for word in bare_words(text.lower())]
    return all(a != b for a, b in pairwise(counts))


def syllables(word: str) -> int:
    """By its groups of vowels: right for most English words."""
    if any(map(str.isdigit, word)):
        return 0
    count = len(re.findall("[aeiouy]+", word))
    if word.endswith("e"):
        count -= 1
    if len(word) > 2 and word.endswith("le") and word[-3] not in "aeiouy":
        count += 1
    return max(1, count)


def palindromes(text: str) -> bool:
    """Ten, of five letters at least."""
    words = [word for word in bare_words(text.lower()) if len(word) >= 5]
    return sum(word == word[::-1] for word in words) >= 10


def paragraph_last_first(text: str) -> bool:
    """Each paragraph ends with the word that it began with."""
    paragraphs = [bare_words(line.lower()) for line in text.split("\n")]
    return all(words[0] == words[-1] for words in paragraphs if words)


def prime_lengths(text: str) -> bool:
    return all(len(word) in PRIMES for word in bare_words(text))


def repeats(text: str, small_n: int) -> bool:
    """No word more often than so."""
    counts = Counter(bare_words(text.lower()))
    return all(count <= small_n for count in counts.values())


def start_verb(text: str) -> bool:
    words = spoken(text)
    return bool(words) and is_verb(words[0].lower())


def is_verb(word: str) -> bool:
    """By a list of common ones and their regular endings."""
    if word in VERBS or word in VERB_FORMS:
        return True
    for ending in ("s", "es", "ed", "d", "ing"):
        stem = word.removesuffix(ending)
        if stem == word:
            continue
        doubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
        if {stem, f"{stem}e", doubled, f"{stem[:-1]}y"} & VERBS:
            return True
    return False


def vowels(text: str) -> bool:
    """One line, with three different vowels at most."""
    return "\n" not in text.strip() and len(set("aeiou") & set(text.lower())) <= 3


def words_position(text: str, keyword: str) -> bool:
    """The second word, and the last but one."""
    words = [word.lower() for word in spoken(text)]
    return len(words) > 1 and words[1] == words[-2] == keyword.lower()


CONSTRAINTS = {
    "words:alphabet": alphabet,
    "words:consonants": consonants,
    "words:keywords_specific_position": keyword_position,
    "words:last_first": last_first,
    "words:no_consecutive": no_consecutive,
    "words:odd_even_syllables": odd_even_syllables,
    "words:palindrome": palindromes,
    "words:paragraph_last_first": paragraph_last_first,
    "words:prime_lengths": prime_lengths,
    "words:repeats": repeats,
    "words:start_verb": start_verb,
    "words:vowel": vowels,
    "words:words_position": words_position,
}
