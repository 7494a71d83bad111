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
from matplotlib.ticker import FuncFormatter, PercentFormatter

from llm_i2i_spark.evaluate.accuracy import MetricRow
from llm_i2i_spark.evaluate.headline import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins that matplotlib draws with; each becomes a CSS variable of the page.
INK, QUIET, RULE = "#010101", "#020202", "#030303"
SERIES = ("#040404", "#050505", "#060606", "#070707", "#080808")
_VARIABLES = {INK: "ink", QUIET: "quiet", RULE: "rule"} | {
    color: f"series-{place}" for place, color in enumerate(SERIES)
}

SIGN = "\u2009%"

Found = Mapping[tuple[str, str, str, int], MetricRow]


def plot_bars(found: Found, series: Sequence[str], slices: Mapping[str, str], k: int) -> str:
    """Recall@k by slice and series, with 95 % intervals.

    Args:
        found: rows by (series, slice, name, k).
        series: names in order.
        slices: slice -> words.
        k: length of the list.
    """
    with _axes(6.9, 2.9) as (figure, axes):
        width = 0.78 / len(series)
        for place, name in enumerate(series):
            for group, part in enumerate(slices):
                row = found[name, part, "recall", k]
                x = group + (place - (len(series) - 1) / 2) * width
                axes.bar(x, row["value"], width * 0.9, color=_color(place))
                top = _whisker(axes, x, row)
                axes.annotate(
                    f"{100 * row['value']:.1f}{SIGN}",
                    (x, top),
                    (0, 3),
                    textcoords="offset points",
                    ha="center",
                    color=INK,
                    fontsize=9,
                )
        axes.set_xticks(range(len(slices)), list(slices.values()))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=_decimals(axes), symbol=SIGN))
        axes.margins(y=0.14)
        axes.set_ylim(bottom=0)
        return _svg(figure, f"Recall at {k} by kind of item")


def plot_curve(found: Found, series: Sequence[str], ks: Sequence[int]) -> str:
    """Recall@k over k, one line a series with its interval as a band."""
    with _axes(6.9, 3.0) as (figure, axes):
        for place, name in enumerate(series):
            rows = [found[name, "all", "recall", k] for k in ks]
            values = [row["value"] for row in rows]
            bounds = [interval(row) or [row["value"]] * 2 for row in rows]
            axes.fill_between(
                ks,
                [low for low, _ in bounds],
                [high for _, high in bounds],
                color=_color(place),
                alpha=0.15,
                lw=0,
            )
            axes.plot(ks, values, color=_color(place), lw=1.8, marker="o", ms=4)
        axes.set_xscale("log")
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.minorticks_off()
        axes.set_xlabel("length of the list, k", color=QUIET)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=_decimals(axes), symbol=SIGN))
        axes.set_ylim(bottom=0)
        return _svg(figure, "Recall over the length of the list")


def plot_gains(found: Found, variant: str, buckets: Mapping[str, str], k: int) -> str:
    """The gain in Recall@k over `real` by popularity of the target, with intervals.

    Args:
        buckets: slice -> words, in order; those without targets are left out.
    """
    rows = {
        words: found[variant, part, "recall_gain", k]
        for part, words in buckets.items()
        if (variant, part, "recall_gain", k) in found
    }
    with _axes(6.9, 2.7) as (figure, axes):
        axes.axhline(0, color=QUIET, lw=0.8)
        for place, row in enumerate(rows.values()):
            axes.bar(place, 100 * row["value"], 0.62, color=_color(1))
            _whisker(axes, place, row, 100)
        labels = [f"{words}\n{row['n']:,} users" for words, row in rows.items()]
        axes.set_xticks(range(len(rows)), labels)
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:+.3g}" if value else "0")
        )
        axes.set_ylabel("percentage points", color=QUIET)
        return _svg(figure, "Gain by popularity of the held-out item")


def plot_shares(counts: Mapping[int, int], bins: int) -> str:
    """How the neighbours of an index divide by the share of synthetic evidence behind them.

    Args:
        counts: bin -> neighbours; bin 0 is none at all, then `bins` equal ones up to all.
        bins: how many equal bins.
    """
    total = max(sum(counts.values()), 1)
    with _axes(6.9, 2.2) as (figure, axes):
        axes.bar(-1.5 / bins, counts.get(0, 0) / total, 1 / bins * 0.9, color=_color(0))
        middles = [(place - 0.5) / bins for place in range(1, bins + 1)]
        axes.bar(
            middles,
            [counts.get(place, 0) / total for place in range(1, bins + 1)],
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


def _color(place: int) -> str:
    return SERIES[place % len(SERIES)]


def _decimals(axes: Axes) -> int:
    return 0 if axes.get_ylim()[1] > 0.05 else 1


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
