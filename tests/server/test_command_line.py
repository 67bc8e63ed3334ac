"""What is wrong with a setting is told where it was said."""

import pytest
from pydantic_settings import SettingsError

from server.command_line import settings_from


def wrong(*arguments: str) -> str:
    with pytest.raises(SettingsError) as raised:
        settings_from(arguments)
    return str(raised.value)


def test_a_wrong_flag_is_named() -> None:
    message = "Input should be greater than or equal to 1"
    assert wrong("--max-num-seqs", "0") == f"--max-num-seqs: {message}"
    assert wrong("--max-num-seqs=0") == f"--max-num-seqs: {message}"
    assert wrong("--efforts", "low=-9").startswith("--efforts: low: Input should be greater")
    assert wrong("--efforts", "lwo=1").startswith("--efforts: lwo: Input should be 'minimal'")


def test_a_wrong_variable_is_named_unless_a_flag_comes_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BIDE_PORT", "99999")
    assert wrong() == "BIDE_PORT: Input should be less than or equal to 65535"
    assert wrong("--port", "-1") == "--port: Input should be greater than or equal to 0"
    assert settings_from(["--port", "1"]).port == 1


def test_settings_that_do_not_go_together() -> None:
    assert wrong("--think-start", "<a>") == "--think-start and --think-end go together"


def test_flags_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings_from(["--max-num", "3"])
    assert "unrecognized arguments: --max-num" in capsys.readouterr().err
