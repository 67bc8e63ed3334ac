"""The file of settings: what it sets, what comes before it, and what is refused."""

import tomllib
from pathlib import Path

import pytest
from pydantic_settings import SettingsError

from server.command_line import settings_from
from server.config import GROUPS, Settings
from server.config_file import written


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bide.toml"


def test_flags_come_before_the_environment_that_before_the_file_that_before_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("port = 1\nthreads = 1\nmax_num_seqs = 1\n")
    monkeypatch.setenv("BIDE_PORT", "2")
    monkeypatch.setenv("BIDE_THREADS", "2")
    settings = settings_from(["--config", str(file), "--port", "3"])
    assert (settings.port, settings.threads, settings.max_num_seqs) == (3, 2, 1)
    assert settings.answer_reserve == Settings.model_fields["answer_reserve"].default


def test_the_environment_may_name_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("port = 1\n")
    monkeypatch.setenv("BIDE_CONFIG", str(file))
    assert settings_from([]).port == 1


def test_tables_are_merged_name_by_name(file: Path) -> None:
    file.write_text('[efforts]\nlow = 1\nhigh = 2\n[verifiers]\na = "http://a"\n')
    settings = settings_from(
        ["--config", str(file), "--efforts", "high=3", "--verifiers", "b=http://b"]
    )
    efforts = settings.efforts
    assert (efforts["low"], efforts["medium"], efforts["high"]) == (1, 8192, 3)
    assert set(settings.verifiers) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "unknown key: prot; is port meant?"),
        ("wholly_other = 1", "unknown key: wholly_other"),
        ('config = "other.toml"', "unknown key: config"),
        ("port = -1", "port: Input should be greater than or equal to 0"),
        ("efforts.low = -2", "efforts.low: Input should be greater than or equal to -1"),
        ("port = ", "Invalid value (at end of document)"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_key(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        settings_from(["--config", str(file)])
    assert str(raised.value) == f"{file}: {message}"


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"bide\.toml: No such file"):
        settings_from(["--config", str(file)])


def test_half_a_pair_of_markers_may_come_from_elsewhere(file: Path) -> None:
    file.write_text('think_start = "<a>"\n')
    settings = settings_from(["--config", str(file), "--think-end", "</a>"])
    assert (settings.think_start, settings.think_end) == ("<a>", "</a>")


def test_settings_that_are_written_are_read_as_the_same(file: Path) -> None:
    settings = settings_from(
        ["--served-name", 'a "b"\\ü\x7f', "--no-enforce-eager", "--verifiers", "v 1=http://a/"]
    )
    file.write_text(written(settings, GROUPS[1:]))
    assert tomllib.loads(file.read_text())["served_name"] == 'a "b"\\ü\x7f'
    again = settings_from(["--config", str(file)])
    assert again.model_dump(exclude={"config"}) == settings.model_dump(exclude={"config"})
