"""`bide checkpoints` says what a server has, and what became of a load."""

import json
import sys
from typing import Any

import httpx
import pytest

from clients import checkpoints
from clients.checkpoints import Checkpoints, show, told
from clients.wire import BideError

STATE = {
    "served": "mini/v2",
    "state": "idle",
    "available": [{"name": "mini", "versions": ["v1", "v2"], "tags": {"stable": "v1"}}],
    "history": [],
}


def server(asked: list[Any]) -> Checkpoints:
    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        asked.append((request.method, request.url.path, body, request.headers["authorization"]))
        if body and body.get("version") == "v9":
            error = {"message": "mini has no version 'v9'", "param": "version"}
            return httpx.Response(409, json={"error": error})
        swap = {"version": "mini/v1", "seconds": 0.5, "swapping": 0.25}
        return httpx.Response(200, json=STATE if request.method == "GET" else swap)

    return Checkpoints("http://localhost:8000/v1", "key", httpx.MockTransport(answer))


def test_what_is_asked_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []
    found = server(asked)
    show(found.state())
    told(found.load("mini", "v1", "drain"))
    found.rollback("immediate")
    assert asked == [
        ("GET", "/v1/checkpoints", None, "Bearer key"),
        (
            "POST",
            "/v1/checkpoints/load",
            {"name": "mini", "version": "v1", "mode": "drain"},
            "Bearer key",
        ),
        ("POST", "/v1/checkpoints/rollback", {"mode": "immediate"}, "Bearer key"),
    ]
    out = capsys.readouterr().out
    assert "served: mini/v2" in out
    assert "stable = v1" in out
    assert "mini/v1 is served: 0.50 s, 0.25 s of them swapping" in out
    with pytest.raises(BideError, match="no version 'v9'"):
        found.load("mini", "v9", "drain")


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bide checkpoints", "--url", "http://127.0.0.1:9", "list"])
    assert checkpoints.main() == 1
    assert "no answer from http://127.0.0.1:9" in capsys.readouterr().err
