"""Sweep files: what is wrong in them is named; the one that ships can be run."""

from pathlib import Path
from typing import Any

import pytest

import training.evaluate
from training.evaluate.__main__ import asked
from training.evaluate.answers import jobs
from training.evaluate.sweep import SweepError, build, read
from training.evaluate.tasks import Question

SHIPPED = sorted((Path(training.evaluate.__file__).parent / "sweeps").glob("*.toml"))
OWN = {"method": "own"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "x.toml: methods: Field required"),
        ({"methods": []}, "x.toml: methods: "),
        ({"methods": [{"method": "guess"}]}, "x.toml: methods.0: .*'guess'"),
        ({"methods": [{"method": "budget"}]}, "x.toml: methods.0.budget.limits: Field required"),
        ({"methods": [{"method": "budget", "limits": [-1]}]}, "methods.0.budget.limits.0: "),
        ({"methods": [{"method": "own", "limit": 3}]}, "methods.0.own.limit: Extra inputs"),
        ({"methods": [{"method": "vote", "n": [4], "stops": ["soon"]}]}, "methods.0.vote.stops.0"),
        ({"methods": [{"method": "majority", "samples": 4, "temperature": 0}]}, "greater than 0"),
        ({"methods": [OWN], "n": 0}, "x.toml: n: "),
        ({"methods": [OWN], "servers": {"a": {"uri": "b"}}}, "servers.a.uri: Extra inputs"),
    ],
)
def test_mistakes_are_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError, match=message):
        build(data, "x.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    with pytest.raises(SweepError, match=r"sweep\.toml: No such file"):
        read(path)
    path.write_text("methods = [")
    with pytest.raises(SweepError, match=r"sweep\.toml: not TOML"):
        read(path)


def test_a_server_must_be_known() -> None:
    sweep = build({"methods": [{"method": "own", "server": "big"}]}, "x.toml")
    with pytest.raises(SweepError, match="no server 'big', only main"):
        sweep.settings()


def test_methods_without_a_server_are_skipped_by_name() -> None:
    methods = [OWN, {"method": "tokens", "server": "tokens", "limits": [16]}]
    sweep = build({"methods": methods, "servers": {"tokens": {}}}, "x.toml")
    settings, skipped = asked(sweep, {"main": "http://a"})
    assert [setting.name for setting in settings] == ["own length"]
    assert skipped == [
        f"{method}: skipped, no server for it is given (--server tokens=URL)"
        for method in ("tokens", "tokens + budget")
    ]
    settings, skipped = asked(sweep, {"main": "http://a", "tokens": "http://b"})
    assert (len(settings), skipped) == (3, [])


def test_a_sweep_of_which_all_is_skipped_is_none() -> None:
    methods = [{"method": "tokens", "server": "tokens", "limits": [16], "forced": False}]
    sweep = build({"methods": methods, "servers": {"tokens": {}}}, "x.toml")
    with pytest.raises(SweepError, match="tokens: skipped"):
        asked(sweep, {"main": "http://a"})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_ships_can_be_asked(path: Path) -> None:
    sweep = build(read(path), str(path))
    names = [name for name in sweep.names if sweep.server(name).url]
    settings, skipped = asked(sweep, dict.fromkeys(names, "http://a"))
    # Each limit alone, and with a budget that enforces it.
    assert len(skipped) == 2 * (len(sweep.names) - len(names))
    assert len(settings) >= 3


def test_the_comparison_of_s1_has_all_its_methods_and_fits_into_a_quarter_of_an_hour() -> None:
    [path] = [path for path in SHIPPED if path.stem == "s1"]
    sweep = build(read(path), str(path))
    settings = sweep.settings()
    assert {method.method for method in sweep.methods} == {
        *("own", "budget", "waits", "majority", "any", "vote", "class"),
        *("rejection", "adaptive", "tokens", "steps"),
    }
    questions = [Question(i, "", "", "") for i in range(sweep.n)]
    # Votes and rejection draw many samples for a request: at most n and, cut short, attempts.
    drawn = sum(_drawn(job.request.options) for job in jobs(settings, questions))
    assert drawn <= 15 * 60 * 50


def _drawn(options: dict[str, Any]) -> float:
    if "vote" in options:
        return min(8, int(options["vote"]["n"]))  # `confident` seldom draws more
    control = options.get("thinking", {}).get("control", {})
    return int(control["attempts"]) / 4 if control.get("method") == "rejection" else 1
