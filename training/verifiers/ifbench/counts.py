"""`count:` and `ratio:`."""

import re

from training.verifiers.ifbench.text import AROUND, bare, sentences, tokens, word_runs

CONJUNCTIONS = frozenset("and but for nor or so yet".split())
PRONOUNS = frozenset(
    "i me we us you he him she her it they them my mine our ours your yours his hers its their "
    "theirs myself ourselves yourself yourselves himself herself itself themselves this that "
    "these those who whom whose which what whoever whomever whatever whichever anybody anyone "
    "anything everybody everyone everything nobody nothing somebody someone something each either "
    "neither both all some any none".split()
)
NAMES = (
    "Emma Liam Sophia Jackson Olivia Noah Ava Lucas Isabella Mason Mia Ethan Charlotte Alexander "
    "Amelia Benjamin Harper Leo Zoe Daniel Chloe Samuel Lily Matthew Grace Owen Abigail Gabriel "
    "Ella Jacob Scarlett Nathan Victoria Elijah Layla Nicholas Audrey David Hannah Christopher "
    "Penelope Thomas Nora Andrew Aria Joseph Claire Ryan Stella Jonathan"
).split()
STOP_WORDS = frozenset(
    "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself "
    "she her hers herself it its itself they them their theirs themselves what which who whom "
    "this that these those am is are was were be been being have has had having do does did doing "
    "a an the and but if or because as until while of at by for with about against between into "
    "through during before after above below to from up down in out on off over under again "
    "further then once here there when where why how all any both each few more most other some "
    "such no nor not only own same so than too very s t can will just don should now d ll m o re "
    "ve y ain aren couldn didn doesn hadn hasn haven isn ma mightn mustn needn shan shouldn wasn "
    "weren won wouldn".split()
)
JAPANESE = re.compile("[぀-ヿ一-鿿]")


def conjunctions(text: str, small_n: int) -> bool:
    """So many different ones."""
    return len({word.strip(AROUND).lower() for word in text.split()} & CONJUNCTIONS) >= small_n


def keywords(
    text: str, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str
) -> bool:
    """Once, twice, three, five and seven times, as words of their own."""
    wanted = zip((keyword1, keyword2, keyword3, keyword4, keyword5), (1, 2, 3, 5, 7), strict=True)
    return all(
        len(re.findall(rf"\b{re.escape(word.strip())}\b", text, re.IGNORECASE)) == count
        for word, count in wanted
    )


def numbers(text: str, N: int) -> bool:
    return len(re.findall(r"\d+", bare(text))) == N


def person_names(text: str, N: int) -> bool:
    return sum(bool(re.search(rf"\b{name}\b", text)) for name in NAMES) >= N


def pronouns(text: str, N: int) -> bool:
    words = re.findall(r"[a-z]+", text.lower())
    return sum(word in PRONOUNS for word in words) >= N


def punctuation(text: str) -> bool:
    """An interrobang, and every other mark beside it."""
    for mark in ("?!", "!?", "‽"):
        if mark in text:
            rest = text.replace(mark, "", 1)
            return all(each in rest for each in ".,!?;:")
    return False


def unique_words(text: str, N: int) -> bool:
    return len({word.strip(AROUND) for word in text.lower().split()} - {""}) >= N


def word_range(text: str, min_words: int, max_words: int) -> bool:
    return min_words <= len(word_runs(text)) <= max_words


def japanese(text: str, N: int) -> bool:
    """Every N-th word."""
    every = (word.strip(AROUND) for word in text.split()[N - 1 :: N])
    return all(JAPANESE.search(word) for word in every if word and not word.isdigit())


def overlap(text: str, percentage: int, reference_text: str) -> bool:
    """Of the text's trigrams of words, so many percent are the reference's, two more or less."""
    own, theirs = _trigrams(text), _trigrams(reference_text)
    return bool(own) and abs(100 * len(own & theirs) / len(own) - percentage) <= 2


def _trigrams(text: str) -> set[tuple[str, ...]]:
    words = tokens(text)
    return set(zip(words, words[1:], words[2:], strict=False))


def sentence_balance(text: str) -> bool:
    """As many that end in `.` as in `?` and in `!`."""
    ends = [sentence[-1] for sentence in sentences(text)]
    return ends.count(".") == ends.count("?") == ends.count("!")


def sentence_type(text: str) -> bool:
    """Two that state for each that asks."""
    ends = [sentence[-1] for sentence in sentences(text)]
    return ends.count(".") == 2 * ends.count("?")


def sentence_words(text: str) -> bool:
    """Three of the same length in characters, with no word twice."""
    found = sentences(text)
    words = bare(" ".join(found)).lower().split()
    return len(found) == 3 and len(set(map(len, found))) == 1 and len(set(words)) == len(words)


def stop_words(text: str, percentage: int) -> bool:
    words = word_runs(text)
    stops = sum(word.lower() in STOP_WORDS for word in words)
    return bool(words) and 100 * stops / len(words) <= percentage


CONSTRAINTS = {
    "count:conjunctions": conjunctions,
    "count:keywords_multiple": keywords,
    "count:numbers": numbers,
    "count:person_names": person_names,
    "count:pronouns": pronouns,
    "count:punctuation": punctuation,
    "count:unique_word_count": unique_words,
    "count:word_count_range": word_range,
    "count:words_japanese": japanese,
    "ratio:overlap": overlap,
    "ratio:sentence_balance": sentence_balance,
    "ratio:sentence_type": sentence_type,
    "ratio:sentence_words": sentence_words,
    "ratio:stop_words": stop_words,
}
