from hypothesis import given
from hypothesis import strategies as st

from server.admission import Admission
from server.gathering import chunk_tokens
from tests.server.serving import saying, served


def admission(places: int, running: int, queued: int) -> Admission:
    made = Admission(places, 1024)
    made.running, made.queued = running, queued
    return made


def test_a_stream_alone_has_a_chunk_a_token_and_a_full_engine_the_most() -> None:
    found = [chunk_tokens(admission(64, running, 0), 4) for running in (1, 16, 32, 48, 64)]
    assert found == [1, 1, 2, 3, 4]
    assert chunk_tokens(admission(64, 64, 500), 4) == 4


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 300), st.integers(1, 16))
def test_it_is_never_less_than_one_nor_more_than_the_most(
    places: int, running: int, queued: int, most: int
) -> None:
    assert 1 <= chunk_tokens(admission(places, running, queued), most) <= most


async def test_streams_gather_and_whole_replies_are_gathered_anyway() -> None:
    said = "r r\n</think>", "\nThe answer is 2.<|end|>"
    for most, chunk in ((4, 4), (1, 1)):
        async with served(saying(*said, *said), max_num_seqs=1, max_chunk_tokens=most) as server:
            await server.chat(stream=True)
            await server.chat()
        sizes = [call.sampling.chunk_tokens for call in server.engine.calls]
        assert sizes == [chunk, chunk, 64, 64]
