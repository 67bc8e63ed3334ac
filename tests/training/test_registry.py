"""Published checkpoints are whole, immutable and named, or are not there."""

import json
from pathlib import Path

import pytest

from tests.checkpoints import checkpoint
from training.registry import MARKER, Registry, RegistryError, Unknown


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def test_versions_count_up_and_tags_mean_them(registry: Registry, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    first = registry.publish(folder, "mini", {"recipe": "mini.toml"})
    second = registry.publish(folder, "mini")
    assert (str(first), str(second)) == ("mini/v1", "mini/v2")
    assert first.manifest()["lineage"] == {"recipe": "mini.toml"}
    assert registry.resolve("mini") == second
    registry.tag("mini", "stable", "v1")
    assert registry.resolve("mini", "stable") == first
    registry.tag("mini", "stable", "latest")
    assert registry.resolve("mini", "stable") == second
    assert registry.names() == ["mini"]
    for version in registry.versions("mini"):
        version.verify()


def test_gc_keeps_the_newest_the_tagged_and_the_served(registry: Registry, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    for _ in range(6):
        registry.publish(folder, "mini")
    registry.tag("mini", "stable", "v2")
    removed = registry.gc("mini", keep=2, served=["v3"])
    assert [version.id for version in removed] == ["v1", "v4"]
    assert [version.id for version in registry.versions("mini")] == ["v2", "v3", "v5", "v6"]
    assert registry.publish(folder, "mini").id == "v7"


def test_a_half_written_version_is_none(registry: Registry, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    version = registry.publish(folder, "mini")
    (version.folder / MARKER).unlink()
    assert registry.names() == []
    with pytest.raises(Unknown):
        registry.resolve("mini")
    assert registry.publish(folder, "mini").id == "v2"  # the number is not given out again


def test_what_was_published_is_held_to_its_hashes(registry: Registry, tmp_path: Path) -> None:
    version = registry.publish(checkpoint(tmp_path / "model"), "mini")
    weights = version.folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"x")
    with pytest.raises(RegistryError, match=r"model\.safetensors is not what was published"):
        version.verify()
    weights.unlink()
    with pytest.raises(RegistryError, match=r"model\.safetensors is missing"):
        version.verify()
    weights.write_bytes(content)
    (version.folder / "notes.txt").write_text("")
    with pytest.raises(RegistryError, match=r"notes\.txt is not in its manifest"):
        version.verify()


def test_what_is_no_checkpoint(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"no config\.json"):
        registry.publish(tmp_path, "mini")
    folder = checkpoint(tmp_path / "model")
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(RegistryError, match="only safetensors"):
        registry.publish(folder, "mini")
    (folder / "pytorch_model.bin").unlink()
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(RegistryError, match="is a link"):
        registry.publish(folder, "mini")
    assert not list((registry.root / "mini").glob("*")) if registry.root.exists() else True


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", ".hidden", "a" * 101])
def test_names_cannot_leave_the_registry(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryError, match="cannot be"):
        registry.resolve(name)


@pytest.mark.parametrize("version", ["../x", "v0", "v01", "none", ""])
def test_versions_that_are_not_there(registry: Registry, tmp_path: Path, version: str) -> None:
    registry.publish(checkpoint(tmp_path / "model"), "mini")
    with pytest.raises(Unknown, match="only v1"):
        registry.resolve("mini", version)


@pytest.mark.parametrize("tag", ["latest", "v7", "a/b", ""])
def test_words_that_are_no_tags(registry: Registry, tmp_path: Path, tag: str) -> None:
    registry.publish(checkpoint(tmp_path / "model"), "mini")
    with pytest.raises(RegistryError, match="cannot be a tag"):
        registry.tag("mini", tag, "v1")


def test_tags_that_are_broken_are_told(registry: Registry, tmp_path: Path) -> None:
    registry.publish(checkpoint(tmp_path / "model"), "mini")
    (registry.root / "mini" / "tags.json").write_text("[")
    with pytest.raises(RegistryError, match=r"tags\.json is not JSON"):
        registry.tags("mini")
    (registry.root / "mini" / "tags.json").write_text(json.dumps([]))
    with pytest.raises(RegistryError, match="not a JSON object"):
        registry.tags("mini")
