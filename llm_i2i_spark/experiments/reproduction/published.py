"""The published figures, from `published.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA_TITLES = {
    "beauty": "Amazon Beauty",
    "sports": "Amazon Sports and Outdoors",
    "toys": "Amazon Toys and Games",
    "aeds": "AEDS",
}
"""The paper's data sets; AEDS is its publisher's own."""
UNNAMED = "log"
"""The name of a log of which nobody said what it is."""
STAND_IN = {2: "toys", 3: "aeds", 4: "toys", 5: "toys"}
"""By table, the published column that stands beside a data set that the table does not have."""


@dataclass(frozen=True)
class PublishedTable:
    """A table of the paper.

    Attributes:
        number: of the table.
        title: what it shows.
        metrics: labels, in the order of the values.
        figures: values by data set, then `backbone/variant/slice`.
    """

    number: int
    title: str
    metrics: tuple[str, ...]
    figures: Mapping[str, Mapping[str, Sequence[float]]]

    def data_of(self, name: str) -> str:
        """The published data set that stands beside one of this name."""
        return name if name in self.figures else STAND_IN[self.number]

    def value(self, data: str, key: str, metric: str) -> float | None:
        """A published value; None where the table has none.

        Args:
            data: a key of `figures`.
            key: `backbone/variant/slice`.
            metric: label, such as `recall@10`.
        """
        row = self.figures[data].get(key)
        if row is None or metric not in self.metrics:
            return None
        return row[self.metrics.index(metric)]


@cache
def published_tables() -> Mapping[int, PublishedTable]:
    """Every table by its number."""
    path = Path(__file__).with_name("published.yaml")
    content: dict[int, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        number: PublishedTable(number, table["title"], tuple(table["metrics"]), table["figures"])
        for number, table in content.items()
    }
