"""An adapter that could not be applied is told before the engine is touched."""

from pathlib import Path
from typing import Any

import pytest
import torch

from server.checkpoints.adapter_preflight import check_adapter
from server.checkpoints.preflight import Fit
from tests.adapters import BASE, CONFIG, FITTING, A, B, adapter, named
from tests.checkpoints import checkpoint
from training.registry import Registry, RegistryError


def check(tmp_path: Path, **different: Any) -> None:
    base = Fit.of(checkpoint(tmp_path / "base", BASE))
    registry = Registry(tmp_path / "registry")
    check_adapter(registry.publish(adapter(tmp_path / "made", **different), "it"), base, 8)


def test_what_fits(tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize(
    ("different", "says"),
    [
        ({"config": {**CONFIG, "r": 16}}, "r is 16, and the server's --max-adapter-rank is 8"),
        ({"config": {**CONFIG, "r": "2"}}, "r is '2', and should be a rank"),
        ({"config": {**CONFIG, "peft_type": "IA3"}}, "peft_type is 'IA3'"),
        ({"config": {**CONFIG, "use_dora": True}}, "use_dora is True, and should be False"),
        ({"config": {**CONFIG, "bias": "all"}}, "bias is 'all'"),
        ({"config": {**CONFIG, "modules_to_save": ["x"]}}, r"modules_to_save is \['x'\]"),
        ({"tensors": {A: FITTING[A]}}, r"the weights lora_B of layer\.a are missing"),
        ({"tensors": {}}, "it has no weights"),
        ({"tensors": {**FITTING, "x": torch.ones(1)}}, "x is no weight of a LoRA adapter"),
        (
            {"tensors": {A: torch.ones(2, 5), B: FITTING[B]}},
            r"lora_A of layer\.a is \(2, 5\), and should be \(2, 4\)",
        ),
        (
            {"tensors": {A: FITTING[A], B: torch.ones(3, 3)}},
            r"lora_B of layer\.a is \(3, 3\), and should be \(3, 2\)",
        ),
        (
            {"tensors": {named("layer.b", each): torch.ones(1, 1) for each in "AB"}},
            r"no module layer\.b that can be adapted",
        ),
        (
            {"tensors": {named("lm_head", "A"): torch.ones(2, 4)}},
            "no module lm_head that can be adapted",
        ),
        ({"tensors": {**FITTING, A: FITTING[A] * float("nan")}}, "no numbers"),
    ],
)
def test_what_does_not(tmp_path: Path, different: dict[str, Any], says: str) -> None:
    with pytest.raises(RegistryError, match=says):
        check(tmp_path, **different)


def test_whole_checkpoints_and_adapters_are_told_apart(tmp_path: Path) -> None:
    registry, base = Registry(tmp_path / "registry"), Fit.of(checkpoint(tmp_path / "base", BASE))
    whole = registry.publish(tmp_path / "base", "whole")
    with pytest.raises(RegistryError, match="is no adapter"):
        check_adapter(whole, base, 8)
    with pytest.raises(RegistryError, match="is an adapter"):
        base.check(registry.publish(adapter(tmp_path / "made"), "made"))
