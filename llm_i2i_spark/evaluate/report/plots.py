"""The report's plots: SVG that takes its colours from the page, so that it reads in light and in
dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from llm_i2i_spark.evaluate.figures import RowsByKey, interval
from llm_i2i_spark.evaluate.metric_rows import GAIN, MetricRow
from llm_i2i_spark.metrics import Metric
from llm_i2i_spark.metrics.reliability import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins that matplotlib draws with; each becomes a CSS variable of the page.
INK, QUIET, RULE = "#010101", "#020202", "#030303"
SYSTEMS = tuple(
    f"#{digit}{digit}{digit}" for digit in ("04", "05", "06", "07", "08", "09", "0a", "0b")
)
_VARIABLES = {INK: "ink", QUIET: "quiet", RULE: "rule"} | {
    color: f"system-{position}" for position, color in enumerate(SYSTEMS)
}

SIGN = "\u2009%"
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
    with _axes(6.9, 2.9) as (figure, axes):
        width = 0.78 / len(systems)
        for position, name in enumerate(systems):
            for group, part in enumerate(slices):
                row = found[name, part, metric.name, metric.k]
                x = group + (position - (len(systems) - 1) / 2) * width
                axes.bar(x, row["value"], width * 0.9, color=_color(position))
                top = _whisker(axes, x, row)
                if len(systems) * len(slices) <= MOST_LABELS:
                    _label(axes, x, top, _value_words(metric, row["value"]))
        axes.set_xticks(range(len(slices)), list(slices.values()))
        _value_axis(axes, metric)
        axes.margins(y=0.14)
        axes.set_ylim(bottom=0)
        return _svg(figure, f"{metric.title} at {metric.k} by kind of item")


def plot_lengths(found: RowsByKey, systems: Sequence[str], metrics: Sequence[Metric]) -> str:
    """A metric over the length of the list, one line a system with its interval as a band.

    Args:
        metrics: the same one at several lengths, in order.
    """
    ks = [metric.k for metric in metrics]
    with _axes(6.9, 3.0) as (figure, axes):
        for position, name in enumerate(systems):
            rows = [found[name, "all", metric.name, metric.k] for metric in metrics]
            values = [row["value"] for row in rows]
            bounds = [interval(row) or [row["value"]] * 2 for row in rows]
            lows, highs = zip(*bounds, strict=True)
            axes.fill_between(ks, lows, highs, color=_color(position), alpha=0.15, lw=0)
            axes.plot(ks, values, color=_color(position), lw=1.8, marker="o", ms=4)
        axes.set_xscale("log")
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.minorticks_off()
        axes.set_xlabel("length of the list, k", color=QUIET)
        _value_axis(axes, metrics[0])
        axes.set_ylim(bottom=0)
        return _svg(figure, f"{metrics[0].title} over the length of the list")


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
    with _axes(6.9, 2.7) as (figure, axes):
        axes.axhline(0, color=QUIET, lw=0.8)
        for position, row in enumerate(rows.values()):
            axes.bar(position, scale * row["value"], 0.62, color=_color(1))
            _whisker(axes, position, row, scale)
        labels = [f"{words}\n{row['n']:,} users" for words, row in rows.items()]
        axes.set_xticks(range(len(rows)), labels)
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:+.3g}" if value else "0")
        )
        axes.set_ylabel("percentage points" if metric.is_share else metric.title, color=QUIET)
        return _svg(figure, "Gain by popularity of the held-out item")


def plot_training(losses: Mapping[str, Sequence[float]]) -> str:
    """Mean loss of each epoch, one line a model.

    Args:
        losses: by role, from the first epoch on.
    """
    with _axes(6.9, 2.4) as (figure, axes):
        for position, (role, curve) in enumerate(losses.items(), start=1):
            epochs = range(1, len(curve) + 1)
            marker = "o" if len(curve) == 1 else ""
            axes.plot(epochs, curve, color=_color(position), lw=1.8, marker=marker, label=role)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(0.5, max(map(len, losses.values())) + 0.5)
        axes.set_xlabel("epoch", color=QUIET)
        axes.set_ylabel("mean loss", color=QUIET)
        axes.legend(frameon=False, labelcolor=INK)
        return _svg(figure, "Loss over the epochs of fine-tuning")


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
    with _axes(6.9, 3.4) as (figure, axes):
        axes.plot([low, high], [low, high], color=QUIET, lw=0.8)
        for position, (name, found) in enumerate(reliability.items(), start=2):
            color = _color(position)
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
        return _svg(figure, "What came true over confidence")


def plot_shares(counts: Mapping[int, int], bins: int) -> str:
    """How the neighbours of an index divide by the share of synthetic evidence behind them.

    Args:
        counts: bin -> neighbours; bin 0 is none at all, then `bins` equal ones up to all.
        bins: how many equal bins.
    """
    total = max(sum(counts.values()), 1)
    with _axes(6.9, 2.2) as (figure, axes):
        axes.bar(-1.5 / bins, counts.get(0, 0) / total, 1 / bins * 0.9, color=_color(0))
        middles = [(number - 0.5) / bins for number in range(1, bins + 1)]
        axes.bar(
            middles,
            [counts.get(number, 0) / total for number in range(1, bins + 1)],
            1 / bins * 0.9,
            color=_color(1),
        )
        axes.set_xticks(
            [-1.5 / bins, 0.25, 0.5, 0.75, 1],
            ["none", *(f"{share}{SIGN}" for share in (25, 50, 75, 100))],
        )
        axes.set_xlabel("share of synthetic evidence behind a neighbour", color=QUIET)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=SIGN))
        return _svg(figure, "Neighbours by share of synthetic evidence")


def _color(position: int) -> str:
    return SYSTEMS[position % len(SYSTEMS)]


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


@contextmanager
def _axes(width: float, height: float) -> Iterator[tuple[Figure, Any]]:
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "llm-i2i",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.edgecolor": RULE,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": RULE,
        "grid.linewidth": 0.7,
        "xtick.color": RULE,
        "ytick.color": RULE,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": QUIET,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.major.pad": 7,
        "font.size": 9.5,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def _svg(figure: Figure, title: str) -> str:
    """The figure as an SVG element without a background, its stand-in colours replaced by the
    page's variables.
    """
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        transparent=True,
        metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
    )
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for color, variable in _VARIABLES.items():
        drawn = drawn.replace(color, f"var(--{variable})")
    # Ids repeat from plot to plot; a prefix keeps clip paths and markers of one page apart.
    prefix = re.sub(r"\W+", "-", title.lower())
    drawn = re.sub(r'(id="|url\(#|xlink:href="#)', rf"\g<1>{prefix}-", drawn)
    drawn = re.sub(r"font: ([^;\"]*?)'[^\"']*'[^;\"]*", r"font: \1 system-ui, sans-serif", drawn)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{title}" ', drawn, count=1)
