"""A stage's log becomes a picture, whatever figures it has."""

import json
from pathlib import Path

from training.curves import draw, series


def test_series_and_picture(tmp_path: Path) -> None:
    rows = [{"step": 0, "held_out": 0.5}, {"step": 1, "reward": 0.25}, {"step": 2, "reward": 0.5}]
    assert series(rows, "reward") == ([1, 2], [0.25, 0.5])
    assert series(rows, "kl") == ([], [])
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    draw(log, tmp_path / "curves.svg")
    picture = (tmp_path / "curves.svg").read_text()
    assert picture.startswith("<?xml")
    assert "held-out accuracy" in picture
    assert "entropy" not in picture


def test_nothing_to_draw(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1, "seconds": 2.0}\n')
    draw(tmp_path / "log.jsonl", tmp_path / "curves.svg")
    assert not (tmp_path / "curves.svg").exists()
