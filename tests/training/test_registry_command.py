"""A registry's folder from the command line; what cannot be is told in a line."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoints import checkpoint
from training.registry import Registry, RegistryError
from training.registry_command import parser


def run(root: Path, *arguments: str) -> str:
    options = parser().parse_args([*arguments, "--registry", str(root)])
    said = options.run(Registry(root), options)
    assert isinstance(said, str)
    return said


def test_publish_tag_and_collect(tmp_path: Path) -> None:
    folder, root = checkpoint(tmp_path / "model"), tmp_path / "registry"
    for number in (1, 2, 3):
        assert run(root, "publish", str(folder), "mini") == f"mini/v{number} in {root}"
    assert run(root, "tag", "mini", "stable", "v1") == "stable means mini/v1"
    assert Registry(root).resolve("mini").manifest()["lineage"] == {"source": str(folder)}
    assert run(root, "gc", "mini", "--keep", "1") == "removed: mini/v2"
    assert [each.id for each in Registry(root).versions("mini")] == ["v1", "v3"]
    assert run(root, "gc", "mini", "--keep", "1") == "removed: nothing"


def test_a_name_or_a_tag_that_cannot_be_publishes_nothing(tmp_path: Path) -> None:
    folder, root = checkpoint(tmp_path / "model"), tmp_path / "registry"
    for wrong in (["a/b"], ["mini", "--tag", "latest"]):
        with pytest.raises(RegistryError, match="cannot be a"):
            run(root, "publish", str(folder), *wrong)
    assert not root.exists()


def test_from_the_command_line(tmp_path: Path) -> None:
    folder, root = checkpoint(tmp_path / "model"), tmp_path / "registry"

    def bide(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "clients.cli", "checkpoints", *arguments]
        command += ["--registry", str(root)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = bide("publish", str(folder), "mini", "--tag", "stable")
    assert (done.returncode, done.stdout) == (0, f"mini/v1 in {root}\n"), done.stderr
    refused = bide("publish", str(tmp_path), "mini")
    assert refused.returncode == 1
    assert (
        refused.stderr == f"bide checkpoints: {tmp_path} is no checkpoint: it has no config.json\n"
    )
