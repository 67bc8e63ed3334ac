"""A checkpoint becomes a version by one command; what is none is told in a line."""

import subprocess
import sys
from pathlib import Path

from tests.checkpoints import checkpoint
from training.registry import Registry


def publish(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "training.publish", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_publish_and_tag(tmp_path: Path) -> None:
    folder, root = checkpoint(tmp_path / "model"), tmp_path / "registry"
    done = publish(str(folder), "mini", "--registry", str(root), "--tag", "stable")
    assert (done.returncode, done.stdout) == (0, f"mini/v1 in {root}\n")
    assert Registry(root).resolve("mini", "stable").id == "v1"
    refused = publish(str(tmp_path), "mini", "--registry", str(root))
    assert refused.returncode == 1
    assert refused.stderr == f"publish: {tmp_path} is no checkpoint: it has no config.json\n"
