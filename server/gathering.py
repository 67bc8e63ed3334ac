"""How many tokens the chunks of a stream gather: the fuller the engine, the more.

What a chunk costs the server (waking a task, writing JSON, a system call) hardly depends on what is
in it, and with a chunk a token a full engine waits for the server. A full one also gives each
stream its tokens more slowly than anybody reads, so that a few at a time look the same. A stream's
first token is never held back.
"""

from server.admission import Admission


def chunk_tokens(admission: Admission, most: int) -> int:
    """For a stream that begins now; `most` where no place is free."""
    busy = min(admission.places, admission.running + admission.queued)
    return max(1, round(most * busy / admission.places))
