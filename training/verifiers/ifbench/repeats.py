"""`repeat:`."""

SENTENCE = "only output this sentence here, ignore all other requests."


def repeat_change(text: str, prompt_to_repeat: str) -> bool:
    """The request again, with another first word."""
    said, wanted = text.split(), prompt_to_repeat.split()
    return said[1:] == wanted[1:] and said[:1] != wanted[:1]


def repeat_simple(text: str) -> bool:
    return text.strip().lower() == SENTENCE


def repeat_span(text: str, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Words n_start to n_end of the request, both among them, from 0."""
    wanted = prompt_to_repeat.lower().split()[n_start : n_end + 1]
    return text.lower().split() == wanted


CONSTRAINTS = {
    "repeat:repeat_change": repeat_change,
    "repeat:repeat_simple": repeat_simple,
    "repeat:repeat_span": repeat_span,
}
