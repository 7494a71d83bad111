"""What a reproduction found: every table and figure, for every data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_i2i_spark.evaluate.figures import aligned, html_table
from llm_i2i_spark.experiments.arm_plan import ArmCost
from llm_i2i_spark.experiments.reproduction.published import DATA_TITLES
from llm_i2i_spark.experiments.reproduction.shapes import figure_sentence
from llm_i2i_spark.experiments.reproduction.table import SHORT, ReproducedTable
from llm_i2i_spark.experiments.sweeps.result import Sweep, once


@dataclass(frozen=True)
class Reproduction:
    """Tables and figures of the paper, made on some data sets.

    Attributes:
        tables: one for each number and data set.
        figures: the sweeps of each figure, by its number and the data set.
        seconds: of wall clock that stages ran.
        evaluations: how many there are, and how many of them were found.
        costs: of all of them, by data set.
        report: path of the HTML page.
    """

    tables: tuple[ReproducedTable, ...]
    figures: Mapping[tuple[int, str], tuple[Sweep, ...]]
    seconds: float
    evaluations: tuple[int, int]
    costs: Mapping[str, ArmCost]
    report: str = ""

    def lines(self) -> list[str]:
        """Every table as aligned text beside the published one, with what holds."""
        lines = []
        for table in self.tables:
            shown = [one for one in SHORT if one in table.published.metrics]
            lines += [table.title, table.caption, *aligned(once(table.cells(shown)))]
            lines += [one for one in (table.paragraph(), table.parts()) if one] + [""]
        for (number, data), sweeps in self.figures.items():
            for sweep in sweeps:
                title = f"Figure {number}, {DATA_TITLES.get(data, data)}"
                lines += [title, *sweep.lines()[:-1], figure_sentence(sweep), ""]
        total, found = self.evaluations
        lines.append(f"{total} evaluations, {found} of them made before; {self.seconds:.0f} s")
        return lines + [f"{name}: {cost.words()}" for name, cost in self.costs.items()]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the tables with a dictionary a row and metric, and the sweeps."""
        return {
            "report": self.report,
            "seconds": round(self.seconds, 1),
            "costs": {
                name: {"together": round(cost.together, 1), "alone": round(cost.alone, 1)}
                for name, cost in self.costs.items()
            },
            "tables": [table.to_dict() for table in self.tables],
            "figures": [
                {"figure": number, "data": data, **sweep.to_dict()}
                for (number, data), sweeps in self.figures.items()
                for sweep in sweeps
            ],
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return "".join(html_table(once(table.cells(SHORT)), table.title) for table in self.tables)
