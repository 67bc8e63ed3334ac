"""Boards and rules name metrics that there are, and every file can be read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.admission import Admission
from server.metrics import Metrics

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
NAME = re.compile(r"\b(?:up|bide_\w+)\b")


def exposed() -> set[str]:
    """Names of series. A label's first use makes one; until then a family has none."""
    registry = Metrics(Admission(1, 1), "small").registry
    suffixes = {
        "counter": ["_total"],
        "gauge": [""],
        "histogram": ["_bucket", "_sum", "_count"],
        "info": ["_info"],
    }
    return {
        f"{family.name}{suffix}"
        for family in registry.collect()
        for suffix in suffixes[family.type]
    }


def rules() -> list[Any]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]
    return list(group["rules"])


def panels() -> list[Any]:
    return list(json.loads((DEPLOY / "grafana" / "bide.json").read_text())["panels"])


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_every_metric_that_is_named_is_exposed() -> None:
    named = {name for each in expressions() for name in NAME.findall(each)}
    assert named - exposed() == {"up"}


def test_the_board_shows_every_metric_or_leaves_it_out_on_purpose() -> None:
    shown = {
        name for panel in panels() for t in panel["targets"] for name in NAME.findall(t["expr"])
    }
    counted = {name for name in exposed() if not name.endswith(("_sum", "_count", "_info"))}
    assert counted - shown == set()


def test_every_metric_and_every_alert_is_explained() -> None:
    page = (DEPLOY.parent / "docs" / "observability.md").read_text()
    parts = ("_bucket", "_sum", "_count")
    families = {name.removesuffix("_bucket") for name in exposed() if not name.endswith(parts[1:])}
    assert {name for name in families if f"`{name}`" not in page} == set()
    assert {rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in page} == set()


def test_brackets_of_expressions_close() -> None:
    for each in expressions():
        for left, right in ("()", "[]", "{}"):
            assert each.count(left) == each.count(right), each


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda path: path.name)
def test_yaml_can_be_read(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))
    assert all(isinstance(document, dict) for document in documents)


def test_the_pod_lives_longer_than_its_last_requests() -> None:
    deployment, _ = yaml.safe_load_all((DEPLOY / "kubernetes" / "bide.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    _, pause = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] > int(pause) + 60
