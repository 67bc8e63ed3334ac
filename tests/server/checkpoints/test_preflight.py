"""What would not fit into the engine is told before the engine is touched."""

from pathlib import Path
from typing import Any

import pytest
import torch

from server.checkpoints.preflight import Fit
from tests.checkpoints import CONFIG, checkpoint
from training.registry import Registry, RegistryError, Version


@pytest.fixture
def served(tmp_path: Path) -> Path:
    return checkpoint(tmp_path / "served")


def published(tmp_path: Path, **different: Any) -> Version:
    return Registry(tmp_path / "registry").publish(
        checkpoint(tmp_path / "other", **different), "other"
    )


def test_other_values_fit(served: Path, tmp_path: Path) -> None:
    Fit.of(served).check(published(tmp_path, tensors={"a": torch.rand(2, 3), "b": torch.rand(4)}))


A, B = torch.zeros(2, 3), torch.ones(4)


@pytest.mark.parametrize(
    ("different", "says"),
    [
        ({"tensors": {"a": A}}, "the weights b are missing"),
        ({"tensors": {"a": A, "b": B, "c": A + 1}}, "the engine has no weights c"),
        ({"tensors": {"a": A, "b": torch.ones(5)}}, r"b is \(5,\), and the engine's is \(4,\)"),
        ({"tensors": {"a": A, "b": B.half()}}, "b is F16, and the engine's is F32"),
        ({"tensors": {"a": A, "b": B * float("nan")}}, "b has values that are no numbers"),
        ({"config": {**CONFIG, "hidden_size": 5}}, "hidden_size is 5, and the engine runs 4"),
        ({"tokenizer": '{"a": 1}'}, "its tokenizer or template is another one"),
    ],
)
def test_what_does_not_fit(
    served: Path, tmp_path: Path, different: dict[str, Any], says: str
) -> None:
    with pytest.raises(RegistryError, match=says):
        Fit.of(served).check(published(tmp_path, **different))


def test_a_truncated_file(served: Path, tmp_path: Path) -> None:
    version = published(tmp_path)
    weights = version.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(RegistryError, match="its hash differs"):
        Fit.of(served).check(version)


def test_what_is_served_may_be_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"config\.json cannot be read"):
        Fit.of(tmp_path / "org" / "name")
