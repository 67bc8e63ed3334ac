"""`bide adapters` asks for what it is told, and shows what there is."""

import json
import sys
from typing import Any

import httpx
import pytest

from clients import adapters
from clients.admin import Admin

REPLIES: dict[tuple[str, str], Any] = {
    ("GET", "/v1/adapters"): {"loaded": [{"model": "m:polite/v1"}]},
    ("GET", "/v1/aliases"): {"aliases": {"support": {"m": 3, "m:polite": 1}}},
    ("POST", "/v1/adapters/load"): {"model": "m:polite/v2"},
    ("POST", "/v1/adapters/unload"): {"unloaded": ["polite/v1", "polite/v2"]},
    ("PUT", "/v1/aliases/support"): {},
    ("DELETE", "/v1/aliases/support"): {},
}


def run(*arguments: str) -> tuple[str | None, Any]:
    """What is said, and the last body that was sent."""
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content) if request.content else None)
        return httpx.Response(200, json=REPLIES[request.method, request.url.path])

    admin = Admin("http://localhost:8000", None, httpx.MockTransport(answer))
    options = adapters.parser().parse_args(arguments)
    return options.run(admin, options), bodies[-1]


@pytest.mark.parametrize(
    ("arguments", "said", "body"),
    [
        (("load", "polite"), "m:polite/v2 is served", {"name": "polite", "version": "latest"}),
        (
            ("unload", "polite"),
            "unloaded: polite/v1, polite/v2",
            {"name": "polite", "version": None},
        ),
        (
            ("alias", "support", "m=3", "m:polite"),
            "support: m 75.0%, m:polite 25.0%",
            {"models": {"m": 3.0, "m:polite": 1.0}},
        ),
        (("alias", "support"), "support stands for nothing any more", None),
    ],
)
def test_what_is_asked(arguments: tuple[str, ...], said: str, body: Any) -> None:
    assert run(*arguments) == (said, body)


def test_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    run("list")
    out = capsys.readouterr().out
    assert "m:polite/v1" in out
    assert "m 75.0%, m:polite 25.0%" in out


def test_a_share_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        adapters.parser().parse_args(["alias", "support", "m=much"])
    assert "'m=much' should be MODEL or MODEL=WEIGHT" in capsys.readouterr().err


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bide adapters", "--url", "http://127.0.0.1:9", "list"])
    assert adapters.main() == 1
    assert "no answer from http://127.0.0.1:9" in capsys.readouterr().err
