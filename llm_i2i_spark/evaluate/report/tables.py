"""The tables of the report: a line a slice and system, a column a metric, whatever the metrics
are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llm_i2i_spark.evaluate.figures import RowsByKey, interval
from llm_i2i_spark.evaluate.metric_rows import GAIN, RELATIVE_GAIN, MetricRow
from llm_i2i_spark.metrics import BeyondAccuracyMetric, Metric, RankingMetric
from llm_i2i_spark.metrics.counts import IndexCounts

NARROW = "\u202f"
"""A narrow space that does not break, between a number and its sign."""

FEW_LENGTHS = (5, 10, 50, 200)
"""Lengths of list that are enough for figures beyond accuracy, where they were evaluated."""

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
) -> PageTable:
    """All ranking metrics by slice and system.

    Args:
        found: rows by (system, slice, name, k).
        systems: titles by name, in order.
        slices: titles by name, in order.
        metrics: those of the evaluation.
        longest: the greatest length of list of all but the first kind of metric.
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
    columns = ("items", "users", "index", *map(_label, shown))
    return _table(columns, lines, len(systems), text=(0, 2))


def gain_table(found: RowsByKey, systems: Titles, slices: Titles, metric: Metric) -> PageTable:
    """The gain of every system over `real`, with intervals, by slice.

    Args:
        metric: whose gain.
    """
    name, k = metric.name, metric.k
    lines = []
    for number, (part, title) in enumerate(slices.items()):
        for system, words in systems.items():
            row, gain, relative = (
                found.get((system, part, name + kind, k)) for kind in ("", GAIN, RELATIVE_GAIN)
            )
            if row is not None and gain is not None:
                cells = [_value_cell(metric, row), *_gain_cells(gain, metric)]
                cells += _relative_cells(relative) if relative else [_EMPTY, _EMPTY]
                lines.append((Cell(title, number), Cell(words, words), *cells))
    unit = " (pp)" if metric.is_share else ""
    values = (_label(metric), f"gain{unit}", "95 % interval", "relative gain", "95 % interval")
    columns = ("items", "index", *values)
    group = len({line[1].text for line in lines})
    return _table(columns, lines, group, text=(0, 1))


def lacks_interval(table: PageTable) -> bool:
    """Whether some figure of a table of gains has no interval."""
    return any(cell.text == NO_INTERVAL for line in table.lines for cell in line)


def percent(value: float, digits: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * value:.{digits}f}{NARROW}%"


def signed_percent(value: float, digits: int = 1) -> str:
    """A change in per cent, with its sign."""
    return _minus(f"{100 * value:+.{digits}f}{NARROW}%")


def shown(value: float, metric: Metric, digits: int = 2) -> str:
    """The value of a metric in a sentence."""
    return percent(value, digits) if metric.is_share else format(value, metric.number_format)


NO_INTERVAL = "none"
_EMPTY = Cell("", "")


def _table(
    columns: Sequence[str],
    lines: Iterable[tuple[Cell, ...]],
    group: int,
    text: Sequence[int],
) -> PageTable:
    numeric = tuple(column not in text for column in range(len(columns)))
    return PageTable(tuple(columns), numeric, tuple(lines), max(group, 1))


def _beyond(metrics: Sequence[Metric]) -> list[BeyondAccuracyMetric]:  # type: ignore[type-arg]
    return [metric for metric in metrics if isinstance(metric, BeyondAccuracyMetric)]


def _value_cell(metric: Metric, row: MetricRow | None) -> Cell:
    if row is None:
        return _EMPTY
    text = format(row["value"], metric.number_format).replace("%", f"{NARROW}%")
    return Cell(text, row["value"])


def _count_cell(count: int) -> Cell:
    return Cell(f"{count:,}", count)


def _gain_cells(row: MetricRow, metric: Metric) -> list[Cell]:
    """A difference of two values, in percentage points where they are shares, and its interval."""
    scale, style = (100, "+.2f") if metric.is_share else (1, "+.4f")
    return _change_cells(row, lambda value: _minus(f"{scale * value:{style}}"), "")


def _relative_cells(row: MetricRow) -> list[Cell]:
    return _change_cells(row, lambda value: _minus(f"{100 * value:+.1f}"), f"{NARROW}%")


def _change_cells(row: MetricRow, words: Callable[[float], str], unit: str) -> list[Cell]:
    value, bounds = Cell(words(row["value"]) + unit, row["value"]), interval(row)
    if bounds is None:
        return [value, Cell(NO_INTERVAL, "")]
    low, high = map(words, bounds)
    return [value, Cell(f"{low} to {high}{unit}", bounds[0])]


def _label(metric: Metric) -> str:
    """The title of a metric with its length of list, parted so that a narrow column can wrap."""
    return f"{metric.title} @{metric.k}" if metric.k else metric.title


def _minus(text: str) -> str:
    """A number with a minus sign in place of a hyphen."""
    return text.replace("-", "−")
