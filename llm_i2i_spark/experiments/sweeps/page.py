"""The page of a sweep: a plot a kind of item, and the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark.evaluate.slices import SLICE_TITLES
from llm_i2i_spark.experiments.pages import render_experiment

if TYPE_CHECKING:
    from llm_i2i_spark.experiments.sweeps.result import Sweep


def render_sweep(sweep: Sweep) -> str:
    """The page as HTML."""
    from llm_i2i_spark.experiments.sweeps.result import SWEPT_SLICES, TARGET_WORDS

    return render_experiment(
        "sweep.html.j2",
        sweep=sweep,
        cells=sweep.cells(),
        plots={
            part: plot_sweep(sweep, part) for part in SWEPT_SLICES if sweep.best(part) is not None
        },
        slices=SLICE_TITLES,
        series=list(sweep.series),
        target=TARGET_WORDS[sweep.target],
    )


def plot_sweep(sweep: Sweep, part: str) -> str:
    """The metric of a sweep over its points, as SVG.

    Args:
        sweep: the result.
        part: which kind of held-out items.
    """
    from llm_i2i_spark.experiments.plots import PlottedPoint, plot_series

    lines = {
        name: [
            PlottedPoint(sweep.points.points[number].value, sweep.figure(number, part))
            for number in numbers
        ]
        for name, numbers in sweep.series.items()
    }
    title = f"{sweep.metric.label} of {SLICE_TITLES[part]} over {sweep.points.axis}"
    shares, baseline = sweep.metric.is_share, sweep.baseline(part)
    return plot_series(lines, sweep.points.axis, title, shares, baseline)
