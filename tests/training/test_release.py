"""A release has its manifest, and is whole or not there."""

import hashlib
import json
from pathlib import Path

import pytest

from training import release


def model(folder: Path, size: int = 10) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"x" * size)
    return folder


def test_the_manifest_names_every_file_by_its_hash(tmp_path: Path) -> None:
    folder = release.publish(model(tmp_path / "model"), tmp_path / "out", {"seed": 3})
    manifest = json.loads((folder / "manifest.json").read_text())
    expected = hashlib.sha256(b"x" * 10).hexdigest()
    assert manifest == {"seed": 3, "sha256": {"model.safetensors": expected}}


def test_a_checkpoint_too_large_to_ship_leaves_the_old_one(tmp_path: Path) -> None:
    out = release.publish(model(tmp_path / "small"), tmp_path / "out", {})
    with pytest.raises(ValueError, match="too large to ship"):
        release.publish(model(tmp_path / "large", release.LARGEST + 1), out, {})
    assert (out / "model.safetensors").read_bytes() == b"x" * 10


RELEASED = sorted(release.RELEASED.glob("*/manifest.json"))


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.parent.name)
def test_what_ships_is_what_its_manifest_says(path: Path) -> None:
    manifest = json.loads(path.read_text())
    for name, expected in manifest["sha256"].items():
        assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == expected
    assert manifest["results"]
