"""How vLLM is asked for log-probabilities: of chosen tokens, of the likeliest ones, or of none."""

import pytest

from decoding.types import Sampling
from server.engine.vllm_engine import LIKELIEST, VllmEngine


def engine(*, tells_chosen: bool) -> VllmEngine:
    """Not started: what a call asks for depends on no more than this."""
    made = object.__new__(VllmEngine)
    made._unknown, made._tells_chosen = {}, tells_chosen
    return made


@pytest.mark.parametrize("tells_chosen", [False, True])
@pytest.mark.parametrize(
    ("sampling", "positions"),
    [
        (Sampling(1), None),
        (Sampling(1, logprobs=0), 0),
        (Sampling(1, logprobs=5), 5),
        (Sampling(1, top_logprobs=20), 20),
    ],
)
def test_who_asks_for_no_chosen_tokens_gets_what_they_asked_for(
    sampling: Sampling, positions: int | None, *, tells_chosen: bool
) -> None:
    params = engine(tells_chosen=tells_chosen).params(sampling)
    assert (params.logprobs, params.logprob_token_ids) == (positions, None)


def test_chosen_tokens_are_asked_for_by_name_or_among_the_likeliest() -> None:
    sampling = Sampling(1, told_ids=(3, 4))
    named = engine(tells_chosen=True).params(sampling)
    assert (named.logprobs, named.logprob_token_ids) == (None, [3, 4])
    among = engine(tells_chosen=False).params(sampling)
    assert (among.logprobs, among.logprob_token_ids) == (LIKELIEST, None)
