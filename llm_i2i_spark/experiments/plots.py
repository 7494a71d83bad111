"""The plots of experiments, as SVG in the style of the evaluation's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, PercentFormatter

from llm_i2i_spark.evaluate.figures import Figure
from llm_i2i_spark.evaluate.report.drawing import INK, QUIET, SIGN, color_of, drawn_axes, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class PlottedPoint:
    """A point of a line.

    Attributes:
        label: below the axis.
        figure: value and interval; None where there is none.
    """

    label: str
    figure: Figure | None


def plot_series(
    series: Mapping[str, Sequence[PlottedPoint]],
    axis: str,
    title: str,
    is_share: bool,
    baseline: Figure | None = None,
) -> str:
    """A value over the points of a sweep, one line a series, with 95 % intervals.

    Args:
        series: the points of each line, in order; those with the same label share their place.
        axis: what the points are.
        title: of the plot, for those who do not see it.
        is_share: whether values are shown in per cent.
        baseline: a value to compare with, as a line with its interval as a band.
    """
    labels = list(dict.fromkeys(point.label for line in series.values() for point in line))
    with drawn_axes(6.9, 3.1) as (figure, axes):
        if baseline is not None:
            _band(axes, baseline)
        for number, line in enumerate(series.values()):
            color = color_of(number + 1)
            shift = (number - (len(series) - 1) / 2) * 0.12
            shown = [
                (labels.index(point.label) + shift, point.figure)
                for point in line
                if point.figure is not None
            ]
            for x, one in shown:
                bounds = one.get("interval")
                if bounds:
                    axes.plot([x, x], bounds, color=color, lw=1.2, alpha=0.6)
            places, values = [x for x, _ in shown], [one["value"] for _, one in shown]
            axes.plot(places, values, color=color, lw=1.8, marker="o", ms=5)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_xlabel(axis, color=QUIET)
        axes.margins(y=0.1)
        if is_share:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1, symbol=SIGN))
        return svg_of(figure, title)


def plot_gains_beside(
    rows: Sequence[str],
    published: Sequence[float | None],
    ours: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    title: str,
) -> str:
    """Relative gains, the published ones beside ours with their intervals, a line a system.

    Args:
        rows: names, from above.
        published: relative gains; None where there is none.
        ours: likewise.
        intervals: of ours.
        title: of the plot, for those who do not see it.
    """
    with drawn_axes(6.9, 0.7 + 0.36 * len(rows)) as (figure, axes):
        axes.axvline(0, color=QUIET, lw=0.8)
        for place, (printed, found, bounds) in enumerate(
            zip(published, ours, intervals, strict=True)
        ):
            if printed is not None:
                axes.plot([printed], [place - 0.13], color=color_of(0), lw=0, marker="D", ms=5)
            if found is not None:
                axes.plot([found], [place + 0.13], color=color_of(1), lw=0, marker="o", ms=5)
            if bounds is not None:
                axes.plot(bounds, [place + 0.13] * 2, color=color_of(1), lw=1.4, alpha=0.7)
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{100 * value:+.0f}{SIGN}" if value else "0")
        )
        return svg_of(figure, title)


def _band(axes: Axes, baseline: Figure) -> None:
    bounds = baseline.get("interval")
    if bounds:
        axes.axhspan(bounds[0], bounds[1], color=color_of(0), alpha=0.18, lw=0)
    axes.axhline(baseline["value"], color=color_of(0), lw=1.4)
