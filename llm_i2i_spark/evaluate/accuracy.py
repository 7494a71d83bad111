"""Metric rows of ranked targets: each series with its interval, and its paired gain over the real
interactions alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np

from llm_i2i_spark.evaluate.outcomes import SLICES, Outcomes, metric_names, metric_values
from llm_i2i_spark.kernels.ranking import Floats
from llm_i2i_spark.metrics.bootstrap import percentile_interval, resample_means, slice_means

BASELINE = "real"


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


def accuracy_rows(
    outcomes: Outcomes,
    series: Sequence[tuple[str, str]],
    ks: Sequence[int],
    resamples: int,
    seed: int,
    identity: Identity,
) -> list[MetricRow]:
    """Recall@k, NDCG@k and MRR of every series and slice, with 95 % bootstrap intervals over users.

    A series whose backbone also has the variant `real` gets two more rows a metric, both paired by
    user: `<name>_gain`, the difference, and `<name>_relative_gain`, the ratio less one (left out
    where the baseline is 0).

    Args:
        outcomes: groups of users.
        series: (variant, backbone), in the order of the outcomes' columns.
        ks: lengths of the lists.
        resamples: draws behind each interval.
        seed: of the draws.
        identity: columns that all rows share.
    """
    values = metric_values(outcomes.better, outcomes.ties, ks)
    groups, n_series, n_metrics = values.shape
    flat = values.reshape(groups, n_series * n_metrics)
    shape = (len(SLICES), n_series, n_metrics)
    means = slice_means(flat, outcomes.users, outcomes.member).reshape(shape)
    drawn = resample_means(flat, outcomes.users, outcomes.member, resamples, seed).reshape(
        resamples, *shape
    )
    sizes = outcomes.member.T @ outcomes.users
    rows: list[MetricRow] = []
    for place, (variant, backbone) in enumerate(series):
        base = (
            series.index((BASELINE, backbone))
            if (BASELINE, backbone) in series and variant != BASELINE
            else None
        )
        for part in np.flatnonzero(sizes):
            for column, (name, k) in enumerate(metric_names(ks)):
                point, samples = means[part, :, column], drawn[:, part, :, column]
                for label, value, interval in _estimates(name, point, samples, place, base):
                    low, high = interval or (None, None)
                    rows.append(
                        {
                            **identity,
                            "variant": variant,
                            "backbone": backbone,
                            "slice": SLICES[part],
                            "name": label,
                            "k": k,
                            "value": value,
                            "ci_low": low,
                            "ci_high": high,
                            "n": int(sizes[part]),
                        }
                    )
    return rows


def _estimates(
    name: str, point: Floats, samples: Floats, place: int, base: int | None
) -> Iterator[tuple[str, float, tuple[float, float] | None]]:
    yield name, float(point[place]), percentile_interval(samples[:, place])
    if base is None:
        return
    yield (
        f"{name}_gain",
        float(point[place] - point[base]),
        percentile_interval(samples[:, place] - samples[:, base]),
    )
    if point[base] > 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = samples[:, place] / samples[:, base] - 1
        # 0 / 0 is a resample in which neither hits: no change, not an empty one.
        ratio[(samples[:, place] == 0) & (samples[:, base] == 0)] = 0.0
        yield (
            f"{name}_relative_gain",
            float(point[place] / point[base] - 1),
            percentile_interval(ratio),
        )
