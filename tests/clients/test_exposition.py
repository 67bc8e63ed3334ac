"""Prometheus's text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from clients.exposition import Exposition

ODD = 'a"b\\c{d}, e="f"'


def test_what_prometheus_writes_is_read() -> None:
    registry = CollectorRegistry()
    requests = Counter("bide_requests", "Requests", ["route", "status"], registry=registry)
    requests.labels("/v1/chat", "200").inc(3)
    requests.labels("/v1/chat", "400").inc()
    requests.labels(ODD, "200").inc(2)
    Gauge("running", "Now", registry=registry).set(1.5)
    found = Exposition.parsed(generate_latest(registry).decode())
    assert found.total("running") == 1.5
    assert found.total("bide_requests_total") == 6
    assert found.total("bide_requests_total", status="200") == 5
    assert found.total("bide_requests_total", status="200", route="/v1/chat") == 3
    assert found.total("nothing") == 0
    assert found.by("bide_requests_total", "status") == {("200",): 5, ("400",): 1}


def test_other_labels_do_not_matter() -> None:
    text = 'vllm:num_requests_running{engine="0",model_name="m"} 2.0\n# HELP x y\n'
    assert Exposition.parsed(text).total("vllm:num_requests_running") == 2
