"""`bide checkpoints` says what a server has, and what became of a load."""

import json
import sys
from typing import Any

import httpx
import pytest

from clients import checkpoints
from clients.admin import Admin
from clients.checkpoints import Checkpoints, show, summary
from clients.wire import BideError

STATE = {
    "served": "mini/v2",
    "state": "idle",
    "adapters": ["polite/v1"],
    "available": [{"name": "mini", "versions": ["v1", "v2"], "tags": {"stable": "v1"}}],
    "history": [],
}

SWAP = {"version": "mini/v1", "seconds": 0.5, "swapping": 0.25}
ERROR = {"error": {"message": "mini has no version 'v9'", "param": "version"}}


def server(asked: list[Any]) -> Checkpoints:
    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        asked.append((request.method, request.url.path, body, request.headers["authorization"]))
        if request.method == "GET":
            return httpx.Response(200, json=STATE)
        if body["mode"] == "immediate":
            return httpx.Response(409, json=ERROR)
        last = ERROR if body.get("version") == "v9" else SWAP | {"engine": body["engine"]}
        events = [{"state": "checking"}, {"state": "swapping"}, last]
        text = "".join(f"data: {json.dumps(each)}\n\n" for each in events)
        end = "" if body.get("version") == "v8" else "data: [DONE]\n\n"
        return httpx.Response(200, text=text + end)

    transport = httpx.MockTransport(answer)
    return Checkpoints(Admin("http://localhost:8000/v1", "key", transport))


def test_what_is_asked_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    asked, steps = list[Any](), list[str]()
    found = server(asked)
    show(found.state())
    print(summary(found.load("mini", "v1", told=steps.append)))
    print(summary(found.rollback(engine="new")))
    wanted = {"mode": "drain", "stream": True}
    load = {"name": "mini", "version": "v1", "engine": "same", **wanted}
    assert asked == [
        ("GET", "/v1/checkpoints", None, "Bearer key"),
        ("POST", "/v1/checkpoints/load", load, "Bearer key"),
        ("POST", "/v1/checkpoints/rollback", {"engine": "new", **wanted}, "Bearer key"),
    ]
    assert steps == ["checking", "swapping"]
    out = capsys.readouterr().out
    assert "served: mini/v2" in out
    assert "stable = v1" in out
    assert "adapters: polite/v1" in out
    assert "mini/v1 is served: 0.50 s, 0.25 s of them swapping" in out
    assert "mini/v1 is served by an engine of its own: 0.50 s" in out


@pytest.mark.parametrize(
    ("version", "mode", "says"),
    [
        ("v9", "drain", "no version 'v9'"),
        ("v1", "immediate", "no version 'v9'"),
        ("v8", "drain", "stopped telling before it was done"),
    ],
)
def test_a_load_that_fails(version: str, mode: str, says: str) -> None:
    with pytest.raises(BideError, match=says):
        server([]).load("mini", version, mode)


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bide checkpoints", "--url", "http://127.0.0.1:9", "list"])
    assert checkpoints.main() == 1
    assert "no answer from http://127.0.0.1:9" in capsys.readouterr().err
