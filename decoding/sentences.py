"""Where sentences end: "Dr. Smith has 3.5 kg. He is old." has two."""

import re

UNFINISHED = re.compile(
    r"""(?: ^ | \n ) \W* (?: \d{1,3} | [a-zA-Z] ) \. $                     # "1."
      | \b (?: al | e\.g | i\.e | cf | vs | Fig | No | Dr | Mr | Mrs | Ms | Prof | St ) \. $
      | \b [A-Z] \. $                                                      # "J."
    """,
    re.VERBOSE,
)
"""A stop that ends no sentence."""

CLOSING = "\"'”’)*_`]"
"""What may stand between a sentence's end and the space behind it."""

STOPS, WIDE_STOPS = ".!?…", "。！？"
"""The wide ones need no space behind them."""


def is_ended(text: str) -> bool:
    """Whether what is written so far is a whole sentence, if white space follows it."""
    bare = text.rstrip(CLOSING)
    if not bare or bare[-1] not in STOPS + WIDE_STOPS:
        return False
    return not UNFINISHED.search(bare[-200:])


def needs_no_space(text: str) -> bool:
    """Whether an ended sentence is over whatever follows it."""
    return text.rstrip(CLOSING)[-1:] in tuple(WIDE_STOPS)
