"""Rows of the table `metrics`, from paired means and from counts; one loop over metrics, whatever
they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from llm_i2i_spark.evaluate.slices import SLICES
from llm_i2i_spark.metrics import BeyondAccuracyMetric, RankingMetric
from llm_i2i_spark.metrics.counts import Counts
from llm_i2i_spark.metrics.paired import Estimate, PairedMeans, SystemMeans

CountsKey = tuple[type[Counts], int, str, int]
"""Kind of counts, position of the system, slice, length of the list (0 without one)."""

GAIN, RELATIVE_GAIN = "_gain", "_relative_gain"
"""What follows a metric's name in the rows of its gain over the baseline."""


class MetricRow(TypedDict):
    """A row of the table `metrics`. `k` is 0 where a metric has none."""

    run_id: str
    variant: str
    backbone: str
    protocol: str
    slice: str
    name: str
    k: int
    value: float
    ci_low: float | None
    ci_high: float | None
    n: int


class Identity(TypedDict):
    """What all rows of one evaluation share."""

    run_id: str
    protocol: str


def ranking_rows(
    means: PairedMeans,
    systems: Sequence[tuple[str, str]],
    baselines: Sequence[int | None],
    metrics: Sequence[RankingMetric],
    identity: Identity,
) -> list[MetricRow]:
    """Every ranking metric of every system and slice, with 95 % bootstrap intervals over users.

    A system with a baseline gets two more rows a metric, both paired by user: `<name>_gain`, the
    difference, and `<name>_relative_gain`, the ratio less one (left out where the baseline is 0).

    Args:
        means: of the metrics, systems and slices, in the order given here.
        systems: (variant, backbone) pairs.
        baselines: for each system the position of the one it is compared with, or None.
        metrics: in the order of the means.
        identity: columns that all rows share.
    """
    rows: list[MetricRow] = []
    for position, (system, baseline) in enumerate(zip(systems, baselines, strict=True)):
        for part in np.flatnonzero(means.users):
            for column, metric in enumerate(metrics):
                figures = means.of(int(part), column)
                for name, found in _estimates(metric.name, figures, position, baseline):
                    n = int(means.users[part])
                    rows.append(_row(identity, system, SLICES[part], name, metric.k, found, n))
    return rows


def beyond_accuracy_rows(
    counts: Mapping[CountsKey, Counts],
    systems: Sequence[tuple[str, str]],
    metrics: Sequence[BeyondAccuracyMetric[Any]],
    identity: Identity,
) -> list[MetricRow]:
    """Every beyond-accuracy metric of every system, in each slice that its counts are there for.

    Args:
        counts: what was counted.
        systems: (variant, backbone) pairs, by position.
        metrics: any of them.
        identity: columns that all rows share.
    """
    rows: list[MetricRow] = []
    for position, system in enumerate(systems):
        for part in SLICES:
            for metric in metrics:
                found = counts.get((metric.needs, position, part, metric.k))
                value = None if found is None else metric.value(found)
                if found is not None and value is not None:
                    figure, n = Estimate(value, None), metric.support(found)
                    rows.append(_row(identity, system, part, metric.name, metric.k, figure, n))
    return rows


def _estimates(
    name: str, figures: SystemMeans, system: int, baseline: int | None
) -> Iterator[tuple[str, Estimate]]:
    yield name, figures.mean(system)
    if baseline is None:
        return
    yield name + GAIN, figures.gain(system, baseline)
    relative = figures.relative_gain(system, baseline)
    if relative is not None:
        yield name + RELATIVE_GAIN, relative


def _row(
    identity: Identity,
    system: tuple[str, str],
    part: str,
    name: str,
    k: int,
    figure: Estimate,
    n: int,
) -> MetricRow:
    low, high = figure.interval or (None, None)
    return {
        **identity,
        "variant": system[0],
        "backbone": system[1],
        "slice": part,
        "name": name,
        "k": k,
        "value": figure.value,
        "ci_low": low,
        "ci_high": high,
        "n": n,
    }
