"""What names mean: the model, its adapters, and aliases."""

from collections import Counter
from itertools import cycle
from pathlib import Path

import pytest

from server.config import Settings
from server.engine.adapters import Adapter
from server.engine.model import Model
from server.errors import InvalidRequest, UnknownModel
from server.models import Models
from tests.server.serving import saying, small_family
from tests.tokenizer import small_tokenizer


def opened(*draws: float) -> Models:
    settings = Settings(served_name="m")
    model = Model(saying(), small_tokenizer(), small_family().turn_ends, 100, settings)
    return Models(model, draw=cycle(draws or (0.5,)).__next__)


def adapter(name: str, version: str, number: int = 2) -> Adapter:
    return Adapter(name, version, number, Path(name) / version)


def test_an_adapter_has_a_name_with_and_without_its_version() -> None:
    models = opened()
    models.add(adapter("polite", "v1"))
    models.add(adapter("polite", "v2", 3))
    assert models.resolve(None).name == models.resolve("m").name == "m"
    assert models.resolve("m:polite/v1").name == "m:polite/v1"
    assert models.resolve("m:polite").name == "m:polite/v2"
    models.remove(adapter("polite", "v2", 3))
    assert models.resolve("m:polite").name == "m:polite/v1"
    assert models.names() == ["m", "m:polite/v1"]
    with pytest.raises(UnknownModel, match="no 'm:rude', only 'm', 'm:polite/v1'"):
        models.resolve("m:rude")


def test_an_adapted_model_names_both_weights() -> None:
    models = opened()
    model = models.add(adapter("polite", "v1"))
    witness = model.witness()
    models.served.weights.become("mini/v2")
    assert model.checkpoint == "mini/v2:polite/v1"
    assert witness() == "m+mini/v2:polite/v1"
    assert models.served.checkpoint == "mini/v2"


def test_an_alias_is_drawn_by_its_shares() -> None:
    models = opened(*(i / 100 for i in range(100)))
    models.add(adapter("new", "v1"))
    models.alias("support", {"m": 3, "m:new": 1})
    drawn = Counter(models.resolve("support").name for _ in range(100))
    assert drawn == {"m": 75, "m:new/v1": 25}


@pytest.mark.parametrize(
    ("name", "shares", "says"),
    [
        ("m", {"m": 1.0}, "name: 'm' is a model's own"),
        ("m:x", {"m": 1.0}, "name: 'm:x' is a model's own"),
        ("a", {"m:none": 1.0}, "models: there is no model 'm:none'"),
        ("a", {"b": 1.0}, "models: there is no model 'b'"),
    ],
)
def test_what_cannot_be_an_alias(name: str, shares: dict[str, float], says: str) -> None:
    models = opened()
    models.alias("b", {"m": 1.0})
    with pytest.raises(InvalidRequest, match=says):
        models.alias(name, shares)


def test_which_aliases_need_an_adapter() -> None:
    models = opened()
    old, new = adapter("polite", "v1"), adapter("polite", "v2", 3)
    models.add(old)
    models.add(new)
    models.alias("any", {"m:polite": 1.0})
    models.alias("old", {"m": 1.0, "m:polite/v1": 1.0})
    assert models.aliases_of([old]) == ["old"]
    assert models.aliases_of([new]) == []
    assert models.aliases_of([old, new]) == ["any", "old"]
