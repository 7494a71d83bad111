"""Figures as people and programs read them: a value with its interval, its gain over a baseline;
tables of them as text and HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypedDict

from llm_i2i_spark.evaluate.metric_rows import GAIN, RELATIVE_GAIN, MetricRow
from llm_i2i_spark.evaluate.slices import SLICE_TITLES
from llm_i2i_spark.evaluate.systems import System, system_names

RowsByKey = Mapping[tuple[str, str, str, int], MetricRow]
"""Rows by (name of the system, slice, name of the metric, k)."""


class Figure(TypedDict, total=False):
    """A value, and what else is known of it.

    The keys of gains stand only where there is a baseline, the relative ones only where it is not
    0, the p-values only where a test was asked for. `significant` says that the gain is no chance:
    its 95 % interval leaves 0 out or, where there is a test, its adjusted p-value is below 0.05.
    """

    value: float
    interval: list[float] | None
    gain: float
    gain_interval: list[float] | None
    relative_gain: float
    relative_gain_interval: list[float] | None
    p_value: float
    adjusted_p_value: float
    significant: bool


@dataclass(frozen=True)
class FigureGroup:
    """One metric in one slice for several systems.

    Attributes:
        slice: which, one of `slices.SLICES`.
        label: of the metric, such as `recall@10`.
        number_format: of the values.
        figures: by name of the system.
    """

    slice: str
    label: str
    number_format: str
    figures: Mapping[str, Figure]

    @property
    def title(self) -> str:
        """Words for the slice."""
        return SLICE_TITLES[self.slice]


def rows_by_key(rows: Sequence[MetricRow]) -> RowsByKey:
    """The rows by (system, slice, name, k), a system being named as in `system_names`."""
    names = system_names((row["variant"], row["backbone"]) for row in rows)
    return {
        (names[System(row["variant"], row["backbone"])], row["slice"], row["name"], row["k"]): row
        for row in rows
    }


def figure_of(found: RowsByKey, system: str, part: str, name: str, k: int) -> Figure:
    """The value of a metric, with its gain where the rows have one.

    Raises:
        KeyError: the rows do not have the metric for this system and slice.
    """
    row = found[system, part, name, k]
    figure: Figure = {"value": row["value"], "interval": interval(row)}
    gain = found.get((system, part, name + GAIN, k))
    if gain is not None:
        figure |= {
            "gain": gain["value"],
            "gain_interval": interval(gain),
            "significant": is_significant(gain),
        }
    relative = found.get((system, part, name + RELATIVE_GAIN, k))
    if relative is not None:
        figure |= {
            "relative_gain": relative["value"],
            "relative_gain_interval": interval(relative),
        }
    return figure


def interval(row: MetricRow) -> list[float] | None:
    """The 95 % interval of a row; None where it has none."""
    low, high = row["ci_low"], row["ci_high"]
    return None if low is None or high is None else [low, high]


def is_significant(gain: MetricRow) -> bool:
    """Whether the 95 % interval of a gain leaves 0 out."""
    bounds = interval(gain)
    return bounds is not None and (bounds[0] > 0 or bounds[1] < 0)


def figure_table(groups: Iterable[FigureGroup], baseline: str) -> list[tuple[str, ...]]:
    """The cells of a table with a line a slice, metric and system, the header first; columns that
    no line has anything in are left out.

    Args:
        groups: in order.
        baseline: name of what gains are over.
    """
    header = ("", "", "system", "value", "95 % interval", f"gain over {baseline}", "p (Holm)")
    lines: list[tuple[str, ...]] = []
    title = None
    for group in groups:
        label = ("" if group.title == title else group.title, group.label)
        title = group.title
        for system, figure in group.figures.items():
            lines.append((*label, system, *_figure_words(figure, group.number_format)))
            label = ("", "")
    used = [column for column in range(len(header)) if any(line[column] for line in lines)]
    return [tuple(line[column] for column in used) for line in (header, *lines)]


def aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Cells as lines of text, columns beneath each other."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def html_table(cells: Sequence[tuple[str, ...]], caption: str) -> str:
    """Cells as an HTML table for a notebook, the first row as its header."""
    header, *lines = cells
    head = "".join(f"<th style='text-align:left'>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(c)}</td>" for c in line) + "</tr>"
        for line in lines
    )
    return (
        f"<table><caption style='text-align:left'>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _figure_words(figure: Figure, number_format: str) -> tuple[str, str, str, str]:
    """Value, interval, gain and p-value."""
    value = format(figure["value"], number_format)
    bounds = figure.get("interval")
    spread = f"{bounds[0]:{number_format}} to {bounds[1]:{number_format}}" if bounds else ""
    p_value = f"{figure['adjusted_p_value']:.4f}" if "adjusted_p_value" in figure else ""
    return value, spread, _gain_words(figure), p_value


def _gain_words(figure: Figure) -> str:
    """The relative gain with its interval or, where that has none, the gain itself."""
    if "gain" not in figure:
        return ""
    relative, bounds = figure.get("relative_gain"), figure.get("relative_gain_interval")
    style = "+.1%"
    if relative is None or bounds is None:
        relative, bounds, style = figure["gain"], figure.get("gain_interval"), "+.4f"
    around = f" ({bounds[0]:{style}} to {bounds[1]:{style}})" if bounds else ""
    doubt = ", not significant" if "adjusted_p_value" in figure else ", within chance"
    return f"{relative:{style}}{around}{'' if figure['significant'] else doubt}"
