"""Flags, environment and defaults, and what is refused."""

import re
import resource
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from server.__main__ import OTHER_FILES, allow_files, main
from server.command_line import settings_from
from server.config import RELEASED, Settings
from server.engine.preflight import CannotStart


def test_the_name_is_the_folders_unless_given() -> None:
    assert Settings(model="/models/seven").name == "seven"
    assert Settings(model="org/eight", served_name="it").name == "it"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIDE_THINKING_CEILING", "99")
    assert Settings().thinking_ceiling == 99


def test_markers_come_in_pairs() -> None:
    with pytest.raises(ValidationError, match="go together"):
        Settings(think_start="<a>")


def test_a_brownout_needs_a_queue() -> None:
    with pytest.raises(ValidationError, match="max-queue above 0"):
        Settings(brownout=0.5, max_queue=0)


def test_a_wrong_flag_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bide serve", "--max-num-seqs", "0"])
    assert main() == 2
    message = "bide serve: --max-num-seqs: Input should be greater than or equal to 1\n"
    assert capsys.readouterr().err == message


def test_an_unknown_tool_parser_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vllm", exc_type=ImportError)
    monkeypatch.setattr("sys.argv", ["bide serve", "--tool-parser", "magic"])
    assert main() == 2
    message = capsys.readouterr().err
    assert message.startswith("bide serve: --tool-parser: there is no 'magic', only ")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "name", ["https://bide.example", "bide.example:8000", "*", "", "10.0.0.1:80"]
)
def test_a_host_is_a_name_alone(name: str) -> None:
    with pytest.raises(ValidationError, match="allowed_hosts"):
        Settings(allowed_hosts=[name])


def test_settings_can_be_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bide serve", "--print-config", "--port", "81"])
    assert main() == 0
    assert "port = 81\n" in capsys.readouterr().out


def refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["bide serve", *arguments])
    status = main()
    return status, capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "bide.example", ""])
def test_no_other_machine_is_served_without_keys(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, message = refused(["--host", host], monkeypatch, capsys)
    assert status == 2
    assert message.startswith(f"bide serve: --host {host} is open to other machines: give --keys")
    assert message.count("\n") == 1
    Settings(host=host, keys=Path("keys.toml"))
    Settings(host=host, allow_anonymous=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    assert Settings(host=host).is_local


def test_keys_for_all_and_for_none_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="contradict"):
        Settings(keys=Path("keys.toml"), allow_anonymous=True)


def test_broken_keys_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.toml"
    (tmp_path / "config.json").write_text("{}")
    arguments = ["--model", str(tmp_path), "--keys", str(file)]
    status, message = refused(arguments, monkeypatch, capsys)
    assert (status, message) == (1, f"bide serve: {file}: No such file or directory\n")
    file.write_text("[[keys]]\nname = 7\n")
    status, message = refused(arguments, monkeypatch, capsys)
    assert status == 1
    assert message.startswith(f"bide serve: {file}:1: name: Input should be a valid string")


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "https://*.example"])
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings(cors_origins=[origin])


def test_files_are_allowed_for_all_connections() -> None:
    limits = _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        allow_files(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 100 + OTHER_FILES
        with pytest.raises(CannotStart, match="--max-connections: 1000000000 need"):
            allow_files(10**9)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--follow", "mine"], "--follow: should be NAME@TAG"),
        (["--follow", "mine@stable"], "--follow needs a --registry"),
        (["--max-adapters", "1", "--adapters", "a"], "--adapters needs a --registry"),
        (["--adapters", "a"], "1 are more than --max-adapters 0"),
        (["--aliases", '{"a": {}}'], "--aliases: a: Dictionary should have at least 1 item"),
        (["--aliases", '{"a": {"m": 0}}'], "--aliases: a: m: Input should be greater than 0"),
    ],
)
def test_settings_of_a_registry(arguments: list[str], says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)):
        settings_from(arguments)


def test_a_version_of_a_registry_is_named_by_its_checkpoint() -> None:
    assert Settings(model="/registry/mine/v12").name == "mine"
    assert Settings(model="/models/mine-v12").name == "mine-v12"
    assert Settings(model="/registry/mine/v12", served_name="it").name == "it"


def test_a_checkpoint_that_comes_with_bide_is_known_by_its_name(tmp_path: Path) -> None:
    assert Settings(model="bide-mini").model == str(RELEASED)
    assert Settings(model="org/name").model == "org/name"
    assert Settings(model=str(tmp_path)).model == str(tmp_path)
