import pytest

from decoding import markers
from decoding.markers import MarkerError, Profile, custom, detect, resolve
from tests.scripted import BIDE, S1, FakeCodec


class Lossy(FakeCodec):
    """A tokenizer that knows no angle brackets."""

    def encode(self, text: str) -> list[int]:
        return super().encode(text.strip("<>"))


def test_markers_are_a_profile_in_ids() -> None:
    assert BIDE.codec.decode(BIDE.markers.opening) == "<think>\n"
    assert BIDE.codec.decode(BIDE.markers.closing) == "</think>\n"
    assert len(BIDE.markers.end) == 1
    assert len(S1.markers.end) == 2


def test_a_thought_may_be_ended_by_the_first_token_of_a_marker_or_by_the_turn() -> None:
    assert set(BIDE.markers.end_attempts) == {*BIDE.markers.end, *BIDE.turn_ends}
    assert set(S1.markers.end_attempts) == {S1.markers.end[0], *S1.turn_ends}


def test_a_tokenizer_must_be_able_to_write_the_markers() -> None:
    with pytest.raises(MarkerError, match="<think>"):
        resolve(markers.THINK, Lossy(), frozenset())


@pytest.mark.parametrize("profile", markers.PROFILES.values(), ids=markers.PROFILES)
def test_what_is_written_begins_with_the_marker(profile: Profile) -> None:
    assert profile.opening.startswith(profile.start)
    assert profile.closing.startswith(profile.end)


@pytest.mark.parametrize(
    ("template", "profile"),
    [
        ("{{ '<|assistant|>' }}{{ '<think>\\n</think>\\n' }}", markers.BIDE),
        ("{{ content.split('</think>')[-1] }}", markers.THINK),
        ("{{ '<|im_start|>think' }}", markers.S1),
        ("{{ '<|im_start|>assistant' }}", None),
        ("", None),
    ],
)
def test_a_chat_template_tells_the_profile(template: str, profile: Profile | None) -> None:
    assert detect(FakeCodec(), template) == profile


def test_markers_of_one_token_tell_it_too() -> None:
    assert detect(FakeCodec("<think>", "</think>"), "") == markers.THINK
    assert detect(FakeCodec("<think>"), "") is None


def test_a_profile_from_configuration() -> None:
    assert custom("<t>", "</t>", "So:") == Profile(
        "custom", "<t>", "</t>", "<t>\n", "</t>\n\n", "So:"
    )
