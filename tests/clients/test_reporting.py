"""A bench's figures go into a file, and its verdict into the exit status."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.table import Table

from clients import reporting


@dataclass
class Report:
    count: int

    @property
    def passed(self) -> bool:
        return self.count > 1


@pytest.mark.parametrize(("count", "status"), [(1, 1), (2, 0)])
def test_what_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, status: int
) -> None:
    file = tmp_path / "report.json"
    assert reporting.told(Report(count), file, Table(title="it"), ["a [b] line"]) == status
    assert json.loads(file.read_text()) == {"count": count, "passed": not status}
    assert "a [b] line" in capsys.readouterr().out
