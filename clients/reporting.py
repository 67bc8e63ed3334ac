"""What a bench came to: its figures in a file, and lines for who reads them."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def told(report: Any, file: Path | None, table: Table, lines: Iterable[str]) -> int:
    """The exit status. report: a dataclass that says whether it `passed`."""
    if file is not None:
        file.write_text(json.dumps({**asdict(report), "passed": report.passed}, indent=2) + "\n")
    console = Console()
    console.print(table)
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0 if report.passed else 1
