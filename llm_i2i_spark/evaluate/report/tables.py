"""The tables of the report: a line a slice and system, a column a metric, whatever the metrics
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_i2i_spark.evaluate.figures import Figure, FigureGroup, RowsByKey
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.metrics import BeyondAccuracyMetric, Metric, RankingMetric
from llm_i2i_spark.metrics.counts import IndexCounts

NARROW = "\u202f"
"""A narrow space that does not break, between a number and its sign."""

FEW_LENGTHS = (5, 10, 50, 200)
"""Lengths of list that are enough for figures beyond accuracy, where they were evaluated."""

NO_INTERVAL = "none"
"""What stands in place of an interval where a gain has none."""

Titles = Mapping[str, str]
"""What people read for a name in the rows."""


@dataclass(frozen=True)
class Cell:
    """A field of a table: its text, and what it is sorted by."""

    text: str
    order: float | str


@dataclass(frozen=True)
class PageTable:
    """A table of the page.

    Attributes:
        columns: headers in order.
        numeric: by column, whether it holds numbers.
        lines: cells by line and column.
        group: how many lines belong together, between rules.
    """

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    lines: tuple[tuple[Cell, ...], ...]
    group: int = 1

    @property
    def lacks_interval(self) -> bool:
        """Whether some gain in it has no interval."""
        return any(cell.text == NO_INTERVAL for line in self.lines for cell in line)


def index_table(
    found: RowsByKey, systems: Titles, slices: Titles, metrics: Sequence[Metric]
) -> PageTable:
    """How full the indexes are: the metrics of an index by slice and system.

    Args:
        found: rows by (system, slice, name, k).
        systems: titles by name, in order.
        slices: titles by name, in order.
        metrics: those of the evaluation.
    """
    chosen = [metric for metric in _beyond(metrics) if metric.needs is IndexCounts]
    if not chosen:
        return PageTable((), (), ())
    lines = []
    for number, (part, title) in enumerate(slices.items()):
        for name, system in systems.items():
            rows = [found.get((name, part, metric.name, 0)) for metric in chosen]
            if rows[0] is not None:
                cells = map(_value_cell, chosen, rows)
                items = _count_cell(rows[0]["n"])
                lines.append((Cell(title, number), items, Cell(system, system), *cells))
    columns = ("items", "number", "index", *(metric.title for metric in chosen))
    return _table(columns, lines, len(systems), text=(0, 2))


def exposure_table(found: RowsByKey, systems: Titles, metrics: Sequence[Metric]) -> PageTable:
    """What is recommended at large: the metrics of exposure by length of list and system."""
    exposed = [metric for metric in _beyond(metrics) if metric.needs is not IndexCounts]
    lengths = sorted({metric.k for metric in exposed})
    lengths = [k for k in lengths if k in FEW_LENGTHS] or lengths
    titles = list(dict.fromkeys(metric.title for metric in exposed))
    lines = []
    for k in lengths:
        at_k = {metric.title: metric for metric in exposed if metric.k == k}
        for name, system in systems.items():
            cells = [
                _value_cell(at_k[title], found.get((name, "all", at_k[title].name, k)))
                if title in at_k
                else _EMPTY
                for title in titles
            ]
            lines.append((Cell(str(k), k), Cell(system, system), *cells))
    return _table(("first", "index", *titles), lines, len(systems), text=(1,))


def ranking_table(
    found: RowsByKey,
    systems: Titles,
    slices: Titles,
    metrics: Sequence[Metric],
    longest: int,
    of: str = "items",
) -> PageTable:
    """All ranking metrics by slice and system.

    Args:
        found: rows by (system, slice, name, k).
        systems: titles by name, in order.
        slices: titles by name, in order.
        metrics: those of the evaluation.
        longest: the greatest length of list of all but the first kind of metric.
        of: what the slices are kinds of.
    """
    ranking = [metric for metric in metrics if isinstance(metric, RankingMetric)]
    shown = [
        metric for metric in ranking if type(metric) is type(ranking[0]) or metric.k <= longest
    ]
    lines = []
    for number, (part, title) in enumerate(slices.items()):
        for name, system in systems.items():
            rows = [found.get((name, part, metric.name, metric.k)) for metric in shown]
            if rows[0] is not None:
                cells = map(_value_cell, shown, rows)
                users = _count_cell(rows[0]["n"])
                lines.append((Cell(title, number), users, Cell(system, system), *cells))
    columns = (of, "users", "index", *map(_label, shown))
    return _table(columns, lines, len(systems), text=(0, 2))


def gain_table(groups: Sequence[FigureGroup], systems: Titles) -> PageTable:
    """Gains over a baseline with their intervals, by slice, metric and system.

    The last column has the intervals of the relative gains or, where systems were tested, the
    adjusted p-values: for both there is no room.

    Args:
        groups: figures by name of the system.
        systems: titles by name.
    """
    tested = any("adjusted_p_value" in f for group in groups for f in group.figures.values())
    lines = []
    for number, group in enumerate(groups):
        for name, figure in group.figures.items():
            first = (Cell(group.title, number), Cell(group.label, group.label))
            title = systems[name]
            cells = _figure_cells(figure, group.number_format, tested)
            lines.append((*first, Cell(title, title), *cells))
    last = "p (Holm)" if tested else "95 % interval"
    values = ("value", "gain", "95 % interval", "relative gain", last)
    together = max((len(group.figures) for group in groups), default=1)
    return _table(("items", "metric", "index", *values), lines, together, text=(0, 1, 2))


def percent(value: float, digits: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * value:.{digits}f}{NARROW}%"


def signed_percent(value: float, digits: int = 1) -> str:
    """A change in per cent, with its sign."""
    return _change(value, f"+.{digits}%")


def shown(value: float, metric: Metric, digits: int = 2) -> str:
    """The value of a metric in a sentence."""
    return percent(value, digits) if metric.is_share else format(value, metric.number_format)


_EMPTY = Cell("", "")


def _table(
    columns: Sequence[str],
    lines: Iterable[tuple[Cell, ...]],
    group: int,
    text: Sequence[int],
) -> PageTable:
    numeric = tuple(column not in text for column in range(len(columns)))
    return PageTable(tuple(columns), numeric, tuple(lines), max(group, 1))


def _beyond(metrics: Sequence[Metric]) -> list[BeyondAccuracyMetric[Any]]:
    return [metric for metric in metrics if isinstance(metric, BeyondAccuracyMetric)]


def _value_cell(metric: Metric, row: MetricRow | None) -> Cell:
    if row is None:
        return _EMPTY
    text = format(row["value"], metric.number_format).replace("%", f"{NARROW}%")
    return Cell(text, row["value"])


def _count_cell(count: int) -> Cell:
    return Cell(f"{count:,}", count)


def _figure_cells(figure: Figure, number_format: str, tested: bool) -> list[Cell]:
    """Value, gain, its interval, relative gain, and its interval or the p-value."""
    value = Cell(format(figure["value"], number_format), figure["value"])
    gain = _change_cells(figure.get("gain"), figure.get("gain_interval"), f"+{number_format}")
    ratio, around = _change_cells(
        figure.get("relative_gain"), figure.get("relative_gain_interval"), "+.1%"
    )
    p_value = figure.get("adjusted_p_value")
    test = _EMPTY if p_value is None else Cell(f"{p_value:.4f}", p_value)
    return [value, *gain, ratio, test if tested else around]


def _change_cells(value: float | None, bounds: Sequence[float] | None, style: str) -> list[Cell]:
    if value is None:
        return [_EMPTY, _EMPTY]
    if bounds is None:
        return [Cell(_change(value, style), value), Cell(NO_INTERVAL, "")]
    low, high = (_change(bound, style) for bound in bounds)
    return [Cell(_change(value, style), value), Cell(f"{low} to {high}", bounds[0])]


def _change(value: float, style: str) -> str:
    """A signed number, with a minus sign in place of a hyphen."""
    return format(value, style).replace("-", "−").replace("%", f"{NARROW}%")


def _label(metric: Metric) -> str:
    """The title of a metric with its length of list, parted so that a narrow column can wrap."""
    return f"{metric.title} @{metric.k}" if metric.k else metric.title
