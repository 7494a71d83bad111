"""What the report's plots are drawn with: SVG that takes its colours from the page, so that it
reads in light and in dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# Stand-ins that matplotlib draws with; each becomes a CSS variable of the page.
INK, QUIET, RULE = "#010101", "#020202", "#030303"
SYSTEMS = tuple(
    f"#{digit}{digit}{digit}" for digit in ("04", "05", "06", "07", "08", "09", "0a", "0b", "0c")
)
_VARIABLES = {INK: "ink", QUIET: "quiet", RULE: "rule"} | {
    color: f"system-{position}" for position, color in enumerate(SYSTEMS)
}

SIGN = "\u2009%"


def color_of(position: int) -> str:
    """The colour of a system, or of a component, by its position."""
    return SYSTEMS[position % len(SYSTEMS)]


@contextmanager
def drawn_axes(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> Iterator[tuple[Figure, Any]]:
    """A figure in the style of the page, and its axes: one, or a list of `rows * columns`.

    Args:
        width: in inches.
        height: in inches.
        rows: of axes.
        columns: of axes; they share their scales.
    """
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
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        yield figure, grid[0, 0] if rows * columns == 1 else list(grid.ravel())


def svg_of(figure: Figure, title: str) -> str:
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
