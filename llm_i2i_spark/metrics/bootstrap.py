"""Confidence intervals over users: the bootstrap, exact and quick because users with equal outcomes
are drawn together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.kernels.ranking import Floats, Ints

LEVEL = 0.95
CHUNK_CELLS = 4_000_000


def resample_means(
    values: Floats, users: Ints, member: NDArray[np.bool_], resamples: int, seed: int
) -> Floats:
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
        for place in range(member.shape[1]):
            rows = np.flatnonzero(member[:, place])
            drawn = weights[:, rows]
            with np.errstate(invalid="ignore"):
                means[start : start + len(weights), place] = (drawn @ values[rows]) / drawn.sum(
                    axis=1, keepdims=True
                )
    return means


def slice_means(values: Floats, users: Ints, member: NDArray[np.bool_]) -> Floats:
    """The mean of every value in every slice: (slices, values); NaN for a slice without users."""
    weights = member.T * users.astype(np.float64)
    with np.errstate(invalid="ignore"):
        means: Floats = (weights @ values) / weights.sum(axis=1, keepdims=True)
    return means


def percentile_interval(samples: Floats) -> tuple[float, float] | None:
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
