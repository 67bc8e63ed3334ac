"""Keys: who is let in, who is not, and what a file may say."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server.caller import Caller
from server.keys import RELOAD_SECONDS, Keys, KeysError, digest, parse

KEY = b"bide-0Zq3mVYc9fT7hJx2LwR5sKd8NbGpAe4UiWlXvMoQyCE"
OTHER = b"bide-another"


def entry(key: bytes, name: str, *more: str) -> str:
    lines = ["[[keys]]", f'name = "{name}"', f'sha256 = "{digest(key).hex()}"', *more]
    return "\n".join(lines) + "\n"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def later(self) -> None:
        self.now += RELOAD_SECONDS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def test_a_key_is_its_owners(file: Path) -> None:
    limits = ("admin = true", "requests_per_minute = 60", "concurrency = 4")
    file.write_text(entry(KEY, "ann", *limits) + entry(OTHER, "bob"))
    keys = Keys(file)
    assert keys.caller(KEY) == Caller("ann", True, 60, 4)
    assert keys.caller(OTHER) == Caller("bob")
    assert keys.caller(b"") is None


def one_changed(key: bytes) -> st.SearchStrategy[bytes]:
    """A byte replaced, left out or put in, anywhere."""
    places = st.tuples(st.integers(0, len(key) - 1), st.binary(min_size=1, max_size=1))
    return places.flatmap(
        lambda place: st.sampled_from(
            [
                key[: place[0]] + place[1] + key[place[0] + 1 :],
                key[: place[0]] + key[place[0] + 1 :],
                key[: place[0]] + place[1] + key[place[0] :],
            ]
        )
    )


@given(
    guess=st.one_of(
        st.integers(0, len(KEY)).map(lambda end: KEY[:end]),
        st.integers(0, len(KEY)).map(lambda begin: KEY[begin:]),
        st.binary(max_size=64).map(lambda more: KEY + more),
        st.sampled_from([KEY.upper(), KEY.lower(), KEY.swapcase(), KEY[::-1], KEY * 2]),
        st.sampled_from([digest(KEY), digest(KEY).hex().encode()]),
        one_changed(KEY),
        st.binary(max_size=100),
    )
)
def test_nothing_but_the_key_itself_is_let_in(
    guess: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assume(guess != KEY)
    file = tmp_path_factory.getbasetemp() / "property.toml"
    if not file.exists():
        file.write_text(entry(KEY, "ann"))
    keys = Keys(file)
    assert keys.caller(guess) is None
    assert keys.caller(KEY) is not None


def test_a_digest_that_shares_only_its_first_bytes_is_refused(file: Path) -> None:
    near = digest(KEY)[:-1] + bytes([digest(KEY)[-1] ^ 1])
    file.write_text(f'[[keys]]\nname = "ann"\nsha256 = "{near.hex()}"\n')
    assert Keys(file).caller(KEY) is None


def test_an_expiry_is_the_last_day(file: Path) -> None:
    today = datetime.now(UTC).date()
    file.write_text(
        entry(KEY, "ann", "expires = 2024-12-31")
        + entry(OTHER, "bob", f"expires = {today.replace(year=today.year + 1, day=1)}")
    )
    keys = Keys(file)
    assert keys.caller(KEY) is None
    assert keys.caller(OTHER) == Caller("bob")
    (key,) = parse(entry(KEY, "ann", "expires = 2024-12-31"), "")
    assert key.expires is not None
    assert not key.expired(key.expires)


def test_a_new_file_is_read_within_a_second(file: Path) -> None:
    clock = Clock()
    file.write_text(entry(KEY, "ann"))
    keys = Keys(file, clock)
    file.write_text(entry(OTHER, "bob"))
    assert keys.caller(KEY) is not None, "it is not looked at for every request"
    clock.later()
    assert keys.caller(KEY) is None
    assert keys.caller(OTHER) == Caller("bob")


def test_a_replaced_file_of_the_same_size_and_time_is_read(file: Path) -> None:
    clock = Clock()
    file.write_text(entry(KEY, "ann"))
    keys = Keys(file, clock)
    other = file.with_suffix(".new")
    other.write_text(entry(OTHER, "bob"))
    before = file.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    clock.later()
    assert keys.caller(OTHER) == Caller("bob")


def test_a_broken_new_file_changes_nothing_and_is_told_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    file.write_text(entry(KEY, "ann"))
    keys = Keys(file, clock)
    file.write_text(entry(KEY, "ann") + "[[keys]]\nname = \n")
    for _ in range(3):
        clock.later()
        assert keys.caller(KEY) == Caller("ann")
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith(f"the keys stay as they were: {file}:5: ")
    assert "\n" not in message
    assert record.exc_info is None
    file.write_text(entry(OTHER, "bob"))
    clock.later()
    assert keys.caller(OTHER) == Caller("bob")


def test_a_file_that_goes_away_leaves_the_keys(file: Path) -> None:
    clock = Clock()
    file.write_text(entry(KEY, "ann"))
    keys = Keys(file, clock)
    file.unlink()
    clock.later()
    assert keys.caller(KEY) == Caller("ann")


GOOD = entry(KEY, "ann")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "name = \n", "keys.toml:4: Invalid value"),
        (GOOD + '[[keys]]\nname = "b"\n', "keys.toml:4: sha256: Field required"),
        (GOOD + GOOD, "keys.toml:4: there are two keys named 'ann'"),
        (GOOD + entry(KEY, "bob"), "keys.toml:4: 'bob' and 'ann' are the same key"),
        (entry(KEY, "a", "admin = 1"), "keys.toml:1: admin: Input should be a valid boolean"),
        (entry(KEY, "a b"), "keys.toml:1: name: String should match"),
        (entry(KEY, "a", "concurrency = 0"), "keys.toml:1: concurrency: Input should be greater"),
        (entry(KEY, "a", "expires = 7.5"), "keys.toml:1: expires: "),
        (entry(KEY, "a", "scope = 1"), "keys.toml:1: scope: Extra inputs are not permitted"),
        ('[[keys]]\nname = "a"\nsha256 = "bide-x"', "keys.toml:1: sha256: String should match"),
        ("[[key]]\n", "keys.toml: there is no 'key', only [[keys]]"),
        ("[keys]\n", "keys.toml: keys should be a list"),
        ("keys = [1]", "keys.toml: Input should be"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(KeysError, match="^" + re.escape(message)) as caught:
        parse(text, "keys.toml")
    assert "\n" not in str(caught.value)


def test_a_first_file_that_cannot_be_read_is_an_error(file: Path) -> None:
    with pytest.raises(KeysError, match=r"keys\.toml: No such file or directory"):
        Keys(file)
    file.write_bytes(b"\xff")
    with pytest.raises(KeysError, match="UTF-8"):
        Keys(file)
