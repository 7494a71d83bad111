"""An evaluation in several orders of users' interactions of equal time, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, NamedTuple

import pandas as pd

from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.figures import aligned, html_table
from llm_i2i_spark.evaluate.slices import COMPARED_SLICES

HEADER = ("", "", "system", "given", "95 % interval", "shuffled: mean", "least", "most")


class FigureKey(NamedTuple):
    """Which figure: name of the system, slice, label of the metric."""

    system: str
    slice: str
    metric: str


@dataclass(frozen=True)
class TieOrders:
    """The same evaluation with rows of equal time in the order given, and shuffled.

    Attributes:
        given: in the order of the log.
        shuffled: by seed of the order.
        index_remade: whether the split and the index were made again for every order; else only the
            interactions before the held-out one were shuffled.
        tied_users: users with interactions of equal time.
        users: users of the log.
    """

    given: Evaluation
    shuffled: Mapping[int, Evaluation]
    index_remade: bool
    tied_users: int
    users: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `given` as of the evaluation; `shuffled`, by system, slice and label of the
        metric, the value of every seed with their mean, standard deviation, least and most.
        """
        spreads: dict[str, dict[str, dict[str, Any]]] = {}
        for key, by_seed in self._shuffled_values().items():
            values = list(by_seed.values())
            spreads.setdefault(key.system, {}).setdefault(key.slice, {})[key.metric] = {
                "values": {str(seed): value for seed, value in by_seed.items()},
                "mean": fmean(values),
                "standard_deviation": stdev(values) if len(values) > 1 else None,
                "least": min(values),
                "most": max(values),
            }
        return {
            "index_remade": self.index_remade,
            "tied_users": self.tied_users,
            "users": self.users,
            "given": self.given.to_dict(),
            "shuffled": spreads,
        }

    def to_pandas(self) -> pd.DataFrame:
        """A row a system, slice, metric and order (`given`, or the seed), with the value."""
        orders = [("given", self.given), *((str(s), one) for s, one in self.shuffled.items())]
        rows = [
            (*key, order, value) for order, found in orders for key, value in _values(found).items()
        ]
        columns = [*FigureKey._fields, "order", "value"]
        frame: pd.DataFrame = pd.DataFrame(rows, columns=columns)
        return frame

    def lines(self, slices: Sequence[str] = COMPARED_SLICES) -> list[str]:
        """Aligned text, a line a slice, metric and system, below a title.

        Args:
            slices: some of `slices.SLICES`.
        """
        return [*self._title(), *aligned(self._cells(slices))]

    def table(self, slices: Sequence[str] = COMPARED_SLICES) -> str:
        """The lines as one text."""
        return "\n".join(self.lines(slices))

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(self._cells(COMPARED_SLICES), " ".join(self._title()))

    def _title(self) -> list[str]:
        made = (
            "The split and the index were made again for every order"
            if self.index_remade
            else "The index and the held-out interactions stay, those before them were shuffled"
        )
        share = self.tied_users / self.users if self.users else 0.0
        return [
            *self.given.title_lines(),
            f"{self.tied_users:,} of {self.users:,} users ({share:.0%}) have interactions of equal"
            f" time. {made}; seeds {', '.join(map(str, self.shuffled))}.",
        ]

    def _cells(self, slices: Sequence[str]) -> list[tuple[str, ...]]:
        shuffled = self._shuffled_values()
        cells: list[tuple[str, ...]] = [HEADER]
        title = None
        for group in self.given.figure_groups(slices):
            label, style = group.label, group.number_format
            words = ("" if group.title == title else group.title, label)
            title = group.title
            for system, figure in group.figures.items():
                bounds = figure.get("interval")
                around = f"{bounds[0]:{style}} to {bounds[1]:{style}}" if bounds else ""
                values = list(shuffled.get(FigureKey(system, group.slice, label), {}).values())
                spread = (fmean(values), min(values), max(values)) if values else ()
                numbers = [format(value, style) for value in spread] or [""] * 3
                cells.append((*words, system, format(figure["value"], style), around, *numbers))
                words = ("", "")
        return cells

    def _shuffled_values(self) -> dict[FigureKey, dict[int, float]]:
        """The values by seed; another order may leave a slice without a user."""
        found: dict[FigureKey, dict[int, float]] = {}
        for seed, evaluation in self.shuffled.items():
            for key, value in _values(evaluation).items():
                found.setdefault(key, {})[seed] = value
        return found


def _values(found: Evaluation) -> dict[FigureKey, float]:
    systems = found.to_dict()["systems"]
    return {
        FigureKey(system, part, label): figure["value"]
        for system, parts in systems.items()
        for part, figures in parts.items()
        for label, figure in figures.items()
    }
