"""The report's plots, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from llm_i2i_spark.evaluate.figures import RowsByKey, interval
from llm_i2i_spark.evaluate.metric_rows import GAIN, MetricRow
from llm_i2i_spark.evaluate.report.drawing import (
    INK,
    QUIET,
    SIGN,
    color_of,
    drawn_axes,
    svg_of,
)
from llm_i2i_spark.evaluate.report.mixtures import Mixture, position_of
from llm_i2i_spark.metrics import Metric
from llm_i2i_spark.metrics.reliability import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LABELS = 12
"""More bars than this in one plot are too narrow for a number above each."""


def plot_bars(
    found: RowsByKey, systems: Sequence[str], slices: Mapping[str, str], metric: Metric
) -> str:
    """A metric by slice and system, with 95 % intervals.

    Args:
        found: rows by (system, slice, name, k).
        systems: names in order.
        slices: slice -> words.
        metric: what the bars show.
    """
    with drawn_axes(6.9, 2.9) as (figure, axes):
        width = 0.78 / len(systems)
        for position, name in enumerate(systems):
            for group, part in enumerate(slices):
                row = found[name, part, metric.name, metric.k]
                x = group + (position - (len(systems) - 1) / 2) * width
                axes.bar(x, row["value"], width * 0.9, color=color_of(position))
                top = _whisker(axes, x, row)
                if len(systems) * len(slices) <= MOST_LABELS:
                    _label(axes, x, top, _value_words(metric, row["value"]))
        axes.set_xticks(range(len(slices)), list(slices.values()))
        _value_axis(axes, metric)
        axes.margins(y=0.14)
        axes.set_ylim(bottom=0)
        return svg_of(figure, f"{metric.title} at {metric.k} by kind of item")


def plot_lengths(found: RowsByKey, systems: Sequence[str], metrics: Sequence[Metric]) -> str:
    """A metric over the length of the list, one line a system with its interval as a band.

    Args:
        metrics: the same one at several lengths, in order.
    """
    ks = [metric.k for metric in metrics]
    with drawn_axes(6.9, 3.0) as (figure, axes):
        for position, name in enumerate(systems):
            rows = [found[name, "all", metric.name, metric.k] for metric in metrics]
            values = [row["value"] for row in rows]
            bounds = [interval(row) or [row["value"]] * 2 for row in rows]
            lows, highs = zip(*bounds, strict=True)
            axes.fill_between(ks, lows, highs, color=color_of(position), alpha=0.15, lw=0)
            axes.plot(ks, values, color=color_of(position), lw=1.8, marker="o", ms=4)
        axes.set_xscale("log")
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.minorticks_off()
        axes.set_xlabel("length of the list, k", color=QUIET)
        _value_axis(axes, metrics[0])
        axes.set_ylim(bottom=0)
        return svg_of(figure, f"{metrics[0].title} over the length of the list")


def plot_gains(found: RowsByKey, system: str, buckets: Mapping[str, str], metric: Metric) -> str:
    """The gain of a system over `real` by popularity of the held-out item, with intervals.

    Args:
        buckets: slice -> words, in order; those without users are left out.
        metric: whose gain.
    """
    name, scale = metric.name + GAIN, 100 if metric.is_share else 1
    rows = {
        words: found[system, part, name, metric.k]
        for part, words in buckets.items()
        if (system, part, name, metric.k) in found
    }
    with drawn_axes(6.9, 2.7) as (figure, axes):
        axes.axhline(0, color=QUIET, lw=0.8)
        for position, row in enumerate(rows.values()):
            axes.bar(position, scale * row["value"], 0.62, color=color_of(1))
            _whisker(axes, position, row, scale)
        labels = [f"{words}\n{row['n']:,} users" for words, row in rows.items()]
        axes.set_xticks(range(len(rows)), labels)
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:+.3g}" if value else "0")
        )
        axes.set_ylabel("percentage points" if metric.is_share else metric.title, color=QUIET)
        return svg_of(figure, "Gain by popularity of the held-out item")


def plot_training(
    losses: Mapping[str, Sequence[float]], title: str = "Loss over the epochs of fine-tuning"
) -> str:
    """Mean loss of each epoch, one line a model.

    Args:
        losses: by role, from the first epoch on.
        title: of the plot.
    """
    with drawn_axes(6.9, 2.4) as (figure, axes):
        for position, (role, curve) in enumerate(losses.items(), start=1):
            epochs = range(1, len(curve) + 1)
            marker = "o" if len(curve) == 1 else ""
            axes.plot(epochs, curve, color=color_of(position), lw=1.8, marker=marker, label=role)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(0.5, max(map(len, losses.values())) + 0.5)
        axes.set_xlabel("epoch", color=QUIET)
        axes.set_ylabel("mean loss", color=QUIET)
        axes.legend(frameon=False, labelcolor=INK)
        return svg_of(figure, title)


def plot_reliability(reliability: Mapping[str, Reliability]) -> str:
    """What came true of predictions over what was said of them, with 95 % intervals, on logarithmic
    axes, since most proposals are improbable; bins of which nothing came true have an interval
    alone.

    Args:
        reliability: by model.
    """
    bins = [each for found in reliability.values() for each in found.bins]
    values = [each.confidence for each in bins] + [each.interval[1] for each in bins]
    low = min(value for value in values if value > 0) / 2
    high = min(max(values) * 2, 1.0)
    with drawn_axes(6.9, 3.4) as (figure, axes):
        axes.plot([low, high], [low, high], color=QUIET, lw=0.8)
        for position, (name, found) in enumerate(reliability.items(), start=2):
            color = color_of(position)
            for each in found.bins:
                bounds = [max(bound, low) for bound in each.interval]
                axes.plot([each.confidence] * 2, bounds, color=color, lw=1.2, alpha=0.6)
            seen = [each for each in found.bins if each.rate > 0]
            points = [each.confidence for each in seen], [each.rate for each in seen]
            axes.plot(*points, color=color, lw=0, marker="o", ms=5, label=name)
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        axes.minorticks_off()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}{SIGN}"))
        axes.set_xlabel("confidence", color=QUIET)
        axes.set_ylabel("came true", color=QUIET)
        if len(reliability) > 1:
            axes.legend(frameon=False, labelcolor=INK)
        return svg_of(figure, "What came true over confidence")


def plot_mixtures(mixtures: Mapping[str, Mixture]) -> str:
    """The weights of components over the clicks of items, stacked, one small plot a mixture.

    Args:
        mixtures: by title.
    """
    columns = min(len(mixtures), 2)
    rows = -(-len(mixtures) // columns)
    with drawn_axes(6.9, 0.6 + 2.2 * rows, rows, columns) as (figure, grid):
        every = grid if isinstance(grid, list) else [grid]
        for axes, (title, mixture) in zip(every, mixtures.items(), strict=False):
            below = [0.0] * len(mixture.least_clicks)
            for component, weights in mixture.weights.items():
                color = color_of(position_of(component))
                axes.bar(range(len(below)), weights, 0.74, bottom=below, color=color)
                below = [sum(pair) for pair in zip(below, weights, strict=True)]
            axes.set_xticks(range(len(below)), mixture.labels())
            axes.tick_params(labelbottom=True)
            axes.set_ylim(0, 1)
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=SIGN))
            if len(mixtures) > 1:
                axes.set_title(title, color=INK, fontsize=9.5, loc="left")
        for axes in every[len(mixtures) :]:
            axes.set_visible(False)
        figure.supxlabel("clicks of the item", color=QUIET, fontsize=9.5)
        return svg_of(figure, "What a blend is made of, by clicks of the item")


def plot_shares(counts: Mapping[int, int], bins: int) -> str:
    """How the neighbours of an index divide by the share of synthetic evidence behind them.

    Args:
        counts: bin -> neighbours; bin 0 is none at all, then `bins` equal ones up to all.
        bins: how many equal bins.
    """
    total = max(sum(counts.values()), 1)
    with drawn_axes(6.9, 2.2) as (figure, axes):
        axes.bar(-1.5 / bins, counts.get(0, 0) / total, 1 / bins * 0.9, color=color_of(0))
        middles = [(number - 0.5) / bins for number in range(1, bins + 1)]
        axes.bar(
            middles,
            [counts.get(number, 0) / total for number in range(1, bins + 1)],
            1 / bins * 0.9,
            color=color_of(1),
        )
        axes.set_xticks(
            [-1.5 / bins, 0.25, 0.5, 0.75, 1],
            ["none", *(f"{share}{SIGN}" for share in (25, 50, 75, 100))],
        )
        axes.set_xlabel("share of synthetic evidence behind a neighbour", color=QUIET)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=SIGN))
        return svg_of(figure, "Neighbours by share of synthetic evidence")


def _label(axes: Axes, x: float, y: float, words: str) -> None:
    axes.annotate(
        words, (x, y), (0, 3), textcoords="offset points", ha="center", color=INK, fontsize=9
    )


def _value_words(metric: Metric, value: float) -> str:
    return f"{100 * value:.1f}{SIGN}" if metric.is_share else f"{value:.3f}"


def _value_axis(axes: Axes, metric: Metric) -> None:
    if metric.is_share:
        decimals = 0 if axes.get_ylim()[1] > 0.05 else 1
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=decimals, symbol=SIGN))


def _whisker(axes: Axes, x: float, row: MetricRow, scale: float = 1.0) -> float:
    """Draw the interval of a row, where it has one; the height of its upper end."""
    bounds = interval(row)
    if bounds is None:
        return scale * row["value"]
    low, high = (scale * bound for bound in bounds)
    axes.plot([x, x], [low, high], color=INK, lw=1.2, solid_capstyle="butt")
    return max(high, scale * row["value"])
