"""What `/metrics` says, in Prometheus's text format."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

SERIES = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Exposition:
    samples: tuple[Sample, ...]

    @classmethod
    def parsed(cls, text: str) -> Self:
        return cls(
            tuple(
                Sample(name, dict(LABEL.findall(labels)), float(value))
                for name, labels, value in SERIES.findall(text)
            )
        )

    def total(self, name: str, **labels: str) -> float:
        """Over all series of that name with these labels; 0 where there is none."""
        wanted = labels.items()
        found = (s for s in self.samples if s.name == name and wanted <= s.labels.items())
        return sum(sample.value for sample in found)

    def by(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        """Whole numbers, by the values of these labels."""
        found: Counter[tuple[str, ...]] = Counter()
        for sample in self.samples:
            if sample.name == name:
                found[tuple(sample.labels.get(label, "") for label in labels)] += int(sample.value)
        return found
