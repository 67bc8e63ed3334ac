"""Flags, environment and defaults, and what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from server.__main__ import check_model, main
from server.config import Settings


def test_the_name_is_the_folders_unless_given() -> None:
    assert Settings(model="/models/seven").name == "seven"
    assert Settings(model="org/eight", served_name="it").name == "it"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIDE_THINKING_CEILING", "99")
    assert Settings().thinking_ceiling == 99


def test_markers_come_in_pairs() -> None:
    with pytest.raises(ValidationError, match="go together"):
        Settings(think_start="<a>")


def test_a_wrong_flag_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bide serve", "--max-num-seqs", "0"])
    assert main() == 2
    message = "bide serve: --max-num-seqs: Input should be greater than or equal to 1\n"
    assert capsys.readouterr().err == message


def test_settings_can_be_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bide serve", "--print-config", "--port", "81"])
    assert main() == 0
    assert "port = 81\n" in capsys.readouterr().out


def test_local_paths_are_checked_and_hub_names_are_not(tmp_path: Path) -> None:
    check_model("org/name")
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        check_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    check_model(str(tmp_path))
