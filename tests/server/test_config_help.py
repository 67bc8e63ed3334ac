"""The help text, and the page that lists the same settings."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from server.command_line import settings_from
from server.config import GROUPS, Settings
from server.config_help import HelpParser, option, shown_default

PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"


def test_every_setting_is_shown_once_in_its_group() -> None:
    grouped = [name for group in GROUPS for name in group.model_fields]
    assert sorted(grouped) == sorted(Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())
    assert all(group.__doc__ for group in GROUPS)


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        settings_from(["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    for line in (
        "  --port N                    port to listen on; 0 for any free one [8000]",
        "  --dtype auto|float32|bfloat16|float16",
        "  --[no-]enforce-eager        no compilation; default: on CPU alone",
        "  --print-config              print all settings as such a file, and stop",
    ):
        assert line in text.splitlines()
    assert not any(noise in text for noise in ("None", "Literal", "dict[", "{'"))


def test_long_texts_are_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    class Group(BaseModel):
        """A heading"""

        port: int = Settings.model_fields["port"]
        efforts: dict[str, int] = Settings.model_fields["efforts"]

    _, rows = HelpParser([Group]).format_help().split("A heading\n")
    assert all(len(line) <= 80 for line in rows.splitlines())


def test_the_pages_example_is_accepted(tmp_path: Path) -> None:
    _, example, *_ = re.split(r"```toml\n|```\n", PAGE.read_text().partition("## A file")[2])
    file = tmp_path / "bide.toml"
    file.write_text(example)
    assert settings_from(["--config", str(file)]).served_name == "my-reasoner"


def test_the_page_lists_every_setting() -> None:
    page = PAGE.read_text()
    for name, field in Settings.model_fields.items():
        shown = option(name, field).replace("|", "\\|")
        assert f"| `{shown}` | {field.description} | {shown_default(field)} |" in page
