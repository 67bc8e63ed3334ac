"""`bide keys`: what it prints, and what it leaves in the file."""

from datetime import date
from pathlib import Path

import pytest

from server.caller import Caller
from server.keys import Keys, KeysError
from server.keys_command import add, listing, main, remove


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def test_an_added_key_is_let_in_and_is_not_in_the_file(file: Path) -> None:
    key = add(file, {"name": "ann", "admin": True, "concurrency": 2})
    assert key.startswith("bide-")
    assert len(key) >= 48
    assert key not in file.read_text()
    assert Keys(file).caller(key.encode()) == Caller("ann", admin=True, concurrency=2)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name], "no temporary file is left"


def test_no_two_keys_are_alike(file: Path) -> None:
    assert len({add(file, {"name": f"user{i}"}) for i in range(5)}) == 5


def test_what_people_wrote_stays(file: Path) -> None:
    file.write_text("# ours\n")
    first = add(file, {"name": "ann", "expires": date(2999, 1, 31)})
    second = add(file, {"name": "bob"})
    file.write_text(file.read_text().replace('name = "bob"', 'name = "bob"  # the builder'))
    remove(file, "ann")
    assert file.read_text().startswith("# ours\n")
    assert "# the builder" in file.read_text()
    keys = Keys(file)
    assert keys.caller(first.encode()) is None
    assert keys.caller(second.encode()) == Caller("bob")
    remove(file, "bob")
    assert listing(file) == ""


def test_a_link_stays_a_link(file: Path) -> None:
    real = file.with_name("real.toml")
    real.touch()
    file.symlink_to(real)
    add(file, {"name": "ann"})
    assert file.is_symlink()
    assert "ann" in real.read_text()


@pytest.mark.parametrize(
    "fields", [{"name": "ann"}, {"name": 'b"'}, {"name": ""}, {"name": "b", "concurrency": 0}]
)
def test_a_wrong_key_is_not_written(file: Path, fields: dict[str, str | bool | int | date]) -> None:
    add(file, {"name": "ann"})
    before = file.read_text()
    with pytest.raises(KeysError, match=str(file)):
        add(file, fields)
    assert file.read_text() == before


def test_a_key_that_cannot_be_cut_out_is_left(file: Path) -> None:
    text = 'keys = [{ name = "ann", sha256 = "' + "0" * 64 + '" }]\n'
    file.write_text(text)
    with pytest.raises(KeysError, match="by hand"):
        remove(file, "ann")
    assert file.read_text() == text


def test_the_command(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["bide keys", *arguments])
        status = main()
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    monkeypatch.setenv("BIDE_KEYS", str(file))
    status, key, note = run("add", "ann", "--admin", "--expires", "2999-12-31")
    assert (status, note) == (0, f"Shown this once; {file} has its hash alone.\n")
    assert Keys(file).caller(key.strip().encode()) == Caller("ann", admin=True)
    run("add", "bob", "--requests-per-minute", "60", "--concurrency", "4")
    status, lines, _ = run("list", "--file", str(file))
    assert [line.split(maxsplit=1) for line in lines.splitlines()] == [
        ["ann", "admin, until 2999-12-31"],
        ["bob", "user, 60 requests a minute, 4 at once"],
    ]
    assert run("remove", "ann") == (0, "", "")
    assert run("remove", "ann") == (1, "", f"bide keys: {file}: there is no key named 'ann'\n")
