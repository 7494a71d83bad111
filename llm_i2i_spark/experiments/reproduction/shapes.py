"""The shape of a line over a sweep, by rule on its values, beside the published one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from llm_i2i_spark.experiments.sweeps.result import Sweep

PUBLISHED_SHAPES = {
    "confidence_bands": "rises with confidence",
    "rows_per_user": "first rises, then falls with the number of rows",
}
"""By preset, what the paper's Figure 5 shows."""


def shape_of(values: Sequence[float]) -> str:
    """What a line does, in words.

    >>> shape_of([1, 2, 2, 3]), shape_of([1, 3, 2]), shape_of([2, 2]), shape_of([3, 1, 2])
    ('rises', 'first rises, then falls', 'is flat', 'falls and rises')
    """
    steps = [later - before for before, later in pairwise(values) if later != before]
    if not steps:
        return "is flat"
    signs = [step > 0 for step in steps]
    turns = sum(one != other for one, other in pairwise(signs))
    if turns > 1:
        return "goes up and down"
    if turns:
        return "first rises, then falls" if signs[0] else "falls and rises"
    return "rises" if signs[0] else "falls"


def figure_sentence(sweep: Sweep) -> str:
    """The shape of every line of a sweep, and of the published figure. Intervals do not count."""
    found = []
    for name, numbers in sweep.series.items():
        figures = [sweep.figure(number) for number in numbers]
        shape = shape_of([figure["value"] for figure in figures if figure is not None])
        found.append(f"{name or 'the line'}: {sweep.metric.label} {shape}")
    printed = PUBLISHED_SHAPES.get(sweep.points.name)
    return "; ".join(found) + (f". Published: it {printed}." if printed else ".")
