"""What a sweep found: a figure a point for all items and the long tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.variants import REAL
from llm_i2i_spark.evaluate.figures import (
    Figure,
    RowsByKey,
    aligned,
    figure_of,
    html_table,
    rows_by_key,
)
from llm_i2i_spark.evaluate.slices import SLICE_TITLES
from llm_i2i_spark.experiments.arms import EvaluatedArm
from llm_i2i_spark.experiments.sweeps.points import SweepPoint, SweepPoints
from llm_i2i_spark.metrics import RankingMetric, SyntheticShare

if TYPE_CHECKING:
    import pandas as pd

SWEPT_SLICES = ("all", "long_tail")
TARGET_WORDS = {
    "valid": "validation fold, protocol strict: nothing here was chosen on the test fold",
    "test": "test fold: choose nothing by it",
}


@dataclass(frozen=True)
class Sweep:
    """The result of a sweep.

    Attributes:
        points: what it went through.
        metric: that is shown.
        variant: what the indexes were made from.
        backbone: the item-to-item model.
        target: fold of the held-out interactions: valid or test.
        evaluated: an arm a point, in their order.
        report: path of the HTML page.
    """

    points: SweepPoints
    metric: RankingMetric
    variant: str
    backbone: str
    target: str
    evaluated: tuple[EvaluatedArm, ...]
    report: str

    def figure(self, number: int, part: str = "all", variant: str | None = None) -> Figure | None:
        """The figure of a point.

        Args:
            number: of the point, from 0.
            part: which kind of held-out items, such as `long_tail`.
            variant: None for that of the sweep; `real` for what it is compared with.

        Returns:
            None where no user has such an item.
        """
        name = variant or self.variant
        key = (name, part, self.metric.name, self.metric.k)
        if key not in self._rows[number]:
            return None
        return figure_of(self._rows[number], name, part, self.metric.name, self.metric.k)

    def synthetic_share(self, number: int) -> float | None:
        """Of the evidence behind a neighbour, the share that is synthetic; None where the backbone
        cannot tell.
        """
        row = self._rows[number].get((self.variant, "all", SyntheticShare.name, 0))
        return None if row is None else row["value"]

    @property
    def users(self) -> int:
        """Users of the evaluation."""
        return self._rows[0][self.variant, "all", self.metric.name, self.metric.k]["n"]

    @property
    def series(self) -> Mapping[str, list[int]]:
        """The numbers of the points of each line."""
        found: dict[str, list[int]] = {}
        for number, point in enumerate(self.points.points):
            found.setdefault(point.series, []).append(number)
        return found

    def baseline(self, part: str = "all") -> Figure | None:
        """The figure of `real`, where it is the same for every point."""
        if self.variant == REAL.name:
            return None
        # The intervals of equal values differ a little: resamples follow what else was evaluated.
        figures = [self.figure(number, part, REAL.name) for number in range(len(self.evaluated))]
        values = {one["value"] for one in figures if one is not None}
        return figures[0] if len(values) == 1 else None

    def best(self, part: str = "all") -> int | None:
        """The number of the point with the highest value; None where there is none."""
        values = {
            number: figure["value"]
            for number in range(len(self.evaluated))
            if (figure := self.figure(number, part)) is not None
        }
        return max(values, key=lambda number: values[number]) if values else None

    def sentence(self, part: str = "all") -> str:
        """What holds, by rule: the point with the highest value, and how many intervals of others
        reach into its own.
        """
        number = self.best(part)
        figure = None if number is None else self.figure(number, part)
        if number is None or figure is None:
            return f"No user holds out an item of {SLICE_TITLES[part]}."
        value = format(figure["value"], self.metric.number_format)
        least = (figure.get("interval") or [figure["value"]])[0]
        others = [self.figure(one, part) for one in range(len(self.evaluated)) if one != number]
        highest = [(one.get("interval") or [one["value"]])[-1] for one in others if one]
        close = sum(high >= least for high in highest)
        reach = f"{close} of the {len(highest)} other intervals reach into its own"
        if not close:
            reach = "no other interval reaches into its own"
        elif close == len(highest):
            reach = "all other intervals reach into its own"
        point = _point(self.points.points[number])
        return (
            f"{self.metric.label} of {SLICE_TITLES[part]} is highest at {point}, {value}; {reach}."
        )

    def title(self) -> str:
        """What was evaluated, in a line."""
        return (
            f"{self.points.title}: {self.variant} on {self.backbone}, {self.users:,} users,"
            f" {TARGET_WORDS[self.target]}"
        )

    def lines(self) -> list[str]:
        """Aligned text, a line a point, below a title."""
        cells = aligned(once(self.cells()))
        shared = sum(one.found for one in self.evaluated)
        before = f" ({shared} evaluated before)" if shared else ""
        seconds = sum(one.seconds for one in self.evaluated)
        return [
            self.title(),
            *cells,
            *(self.sentence(part) for part in SWEPT_SLICES),
            f"{len(self.evaluated)} evaluations{before}, {seconds:.0f} s",
        ]

    def cells(self) -> list[tuple[str, ...]]:
        """The cells of the table, the header first."""
        label = self.metric.label
        header = (
            "",
            "value",
            f"{label}, all",
            "95 % interval",
            f"{label}, long tail",
            "95 % interval",
            "gain over real",
            "synthetic share",
        )
        rows = [header]
        for number, point in enumerate(self.points.points):
            share = self.synthetic_share(number)
            rows.append(
                (
                    point.series,
                    point.value,
                    *self._words(number, "all"),
                    *self._words(number, "long_tail"),
                    gain_words(self.figure(number)),
                    "" if share is None else f"{share:.1%}",
                )
            )
        used = [column for column in range(len(header)) if any(row[column] for row in rows[1:])]
        return [tuple(row[column] for column in used) for row in rows]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what was swept, the figures by slice of the log as it is, where they are the
        same for every point, and a dictionary a point with its figures by slice.
        """
        return {
            "name": self.points.name,
            "metric": self.metric.label,
            "variant": self.variant,
            "backbone": self.backbone,
            "target": self.target,
            "users": self.users,
            "report": self.report,
            "baseline": {part: self.baseline(part) for part in SWEPT_SLICES},
            "points": [
                {
                    "series": point.series,
                    "value": point.value,
                    "settings": dict(point.settings),
                    "run_id": one.run_id,
                    "stages_run": list(one.stages_run),
                    "seconds": round(one.seconds, 1),
                    "synthetic_share": self.synthetic_share(number),
                    "figures": {part: self.figure(number, part) for part in SWEPT_SLICES},
                }
                for number, (point, one) in enumerate(
                    zip(self.points.points, self.evaluated, strict=True)
                )
            ],
        }

    def to_pandas(self) -> pd.DataFrame:
        """A row a point and slice, with the keys of `evaluate.figures.Figure` as columns."""
        import pandas

        rows = [
            {"series": point.series, "value_of": point.value, "slice": part, **figure}
            for number, point in enumerate(self.points.points)
            for part in SWEPT_SLICES
            if (figure := self.figure(number, part)) is not None
        ]
        frame: pd.DataFrame = pandas.DataFrame(rows)
        return frame

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return html_table(once(self.cells()), self.title())

    def _words(self, number: int, part: str) -> tuple[str, str]:
        return figure_words(self.figure(number, part), self.metric.number_format)

    @cached_property
    def _rows(self) -> list[RowsByKey]:
        return [rows_by_key(one.rows) for one in self.evaluated]


def figure_words(figure: Figure | None, number_format: str) -> tuple[str, str]:
    """A value and its interval; empty without a figure."""
    if figure is None:
        return "", ""
    bounds = figure.get("interval")
    around = f"{bounds[0]:{number_format}} to {bounds[1]:{number_format}}" if bounds else ""
    return format(figure["value"], number_format), around


def gain_words(figure: Figure | None) -> str:
    """The relative gain over `real` with its interval, and whether chance explains it; empty
    without a baseline.
    """
    if figure is None or "gain" not in figure:
        return ""
    doubt = "" if figure["significant"] else ", within chance"
    relative, bounds = figure.get("relative_gain"), figure.get("relative_gain_interval")
    if relative is None or bounds is None:
        return f"{figure['gain']:+.4f}{doubt}"
    return f"{relative:+.1%} ({bounds[0]:+.1%} to {bounds[1]:+.1%}){doubt}"


def once(cells: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Cells in which the first of a line is left empty where it is that of the line above."""
    above = [("",), *cells]
    return [
        ("" if row[0] == last[0] else row[0], *row[1:])
        for row, last in zip(cells, above, strict=False)
    ]


def _point(point: SweepPoint) -> str:
    return f"{point.value} ({point.series})" if point.series else point.value
