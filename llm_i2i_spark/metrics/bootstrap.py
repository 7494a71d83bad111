"""Confidence intervals over users: the bootstrap, exact and quick because users with equal outcomes
are drawn together.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import BoolArray, Float64Array, Int64Array

LEVEL = 0.95
CHUNK_CELLS = 4_000_000


def resample_means(
    values: Float64Array, users: Int64Array, member: BoolArray, resamples: int, seed: int
) -> Float64Array:
    """The mean of every value in every slice under resampling of the users: (resamples, slices,
    values).

    Drawing n users with replacement and counting them by group is one multinomial draw with the
    groups' shares, so this is the bootstrap of Efron (1979), not an approximation. One draw serves
    all values and slices: differences of its columns are paired by user. NaN where a resample holds
    nobody of a slice.

    Args:
        values: (groups, values) the value of each user of a group.
        users: (groups,) how many users a group has.
        member: (groups, slices) which slices a group belongs to.
        resamples: how many draws.
        seed: of the draws.
    """
    draws = np.random.default_rng(seed)
    total = int(users.sum())
    means = np.full((resamples, member.shape[1], values.shape[1]), np.nan)
    step = max(1, CHUNK_CELLS // max(len(users), 1))
    for start in range(0, resamples if total else 0, step):
        weights = draws.multinomial(total, users / total, size=min(step, resamples - start)).astype(
            np.float64
        )
        for part in range(member.shape[1]):
            rows = np.flatnonzero(member[:, part])
            drawn = weights[:, rows]
            with np.errstate(invalid="ignore"):
                means[start : start + len(weights), part] = (drawn @ values[rows]) / drawn.sum(
                    axis=1, keepdims=True
                )
    return means


def slice_means(values: Float64Array, users: Int64Array, member: BoolArray) -> Float64Array:
    """The mean of every value in every slice: (slices, values); NaN for a slice without users."""
    weights = member.T * users.astype(np.float64)
    with np.errstate(invalid="ignore"):
        means: Float64Array = (weights @ values) / weights.sum(axis=1, keepdims=True)
    return means


def percentile_interval(samples: Float64Array) -> tuple[float, float] | None:
    """The central 95 % of the resampled values; None where they are not all finite but for empty
    resamples.

    Args:
        samples: (resamples,) with NaN where a resample was empty.
    """
    drawn = samples[~np.isnan(samples)]
    if len(drawn) == 0 or not np.isfinite(drawn).all():
        return None
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
