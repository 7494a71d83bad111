"""Percentiles of the lookup's latency with intervals by order statistics, users being the sampling
unit.

The interval of a percentile is a pair of order statistics: latencies at the ranks
n (p -/+ 1.96 s), where s is the standard error of the share of requests at or below the percentile.
Were requests independent, s would be sqrt(p (1 - p) / n); those of one user are not (same place,
same device, same length of history), so s is that of a ratio over users by the delta method.

Sources: Deng, Knoblich and Lu 2018, "Applying the Delta Method in Metric Analytics", KDD, section 4
(percentiles, outer interval with adjusted ranks). Difference of two percentiles: Zou and Donner
2008, "Construction of confidence limits about effect measures", Statistics in Medicine 27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, floor, log, sqrt

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array
from llm_i2i_spark.metrics.paired import Estimate
from llm_i2i_spark.online.moments import Moments, Z, ratio_of

PERCENTILES = (0.5, 0.95, 0.99)
"""Median, 95th and 99th percentile."""
DIGITS = 4
"""Significant decimal digits to which latencies are counted."""


@dataclass(frozen=True)
class Latencies:
    """How often each latency occurs in an arm, in rising order.

    Attributes:
        values: (distinct,) milliseconds.
        ranks: (distinct,) requests with this latency or a lower one.
    """

    values: Float64Array
    ranks: Int64Array

    @classmethod
    def of(cls, values: Float64Array, counts: Int64Array) -> Latencies:
        """From distinct latencies in any order and how many requests each has."""
        order = np.argsort(values)
        return cls(values[order], np.cumsum(counts[order]))

    @property
    def requests(self) -> int:
        """How many latencies there are."""
        return int(self.ranks[-1]) if len(self.ranks) else 0

    def order_statistic(self, rank: int) -> float:
        """The latency of the request at a rank, from 1."""
        return float(self.values[np.searchsorted(self.ranks, rank)])

    def percentile(self, share: float) -> float:
        """The lowest latency that at least this share of the requests does not exceed."""
        return self.order_statistic(max(ceil(share * self.requests - 1e-9), 1))

    def interval(self, share: float, standard_error: float) -> tuple[float, float] | None:
        """The order statistics at the ranks n (p -/+ 1.96 s), rounded outwards.

        Args:
            share: p.
            standard_error: s, of the share of requests at or below the percentile.

        Returns:
            None where a rank lies outside 1 to n: too few requests for this percentile.
        """
        low = floor(self.requests * (share - Z * standard_error))
        high = ceil(self.requests * (share + Z * standard_error)) + 1
        if low < 1 or high > self.requests:
            return None
        return self.order_statistic(low), self.order_statistic(high)


def percentile_estimates(
    latencies: Latencies, moments: Moments, shares: Sequence[float] = PERCENTILES
) -> list[Estimate]:
    """Percentiles with their 95 % intervals.

    Args:
        latencies: of an arm, at least one.
        moments: over its users, of the requests and, for each share, of those at or below the
            percentile.
        shares: in rising order.
    """
    found = []
    for position, share in enumerate(shares, start=1):
        below = ratio_of(moments, position, 0)
        error = below.standard_error if below else None
        bounds = latencies.interval(share, error) if error else None
        found.append(Estimate(latencies.percentile(share), bounds))
    return found


def percentile_difference(ours: Estimate, theirs: Estimate) -> Estimate | None:
    """q / q' - 1 of two arms, with its 95 % interval.

    With l, u the limits of log q and l', u' those of log q', the limits of their difference d are
    d - sqrt((log q - l)^2 + (u' - log q')^2) and d + sqrt((u - log q)^2 + (log q' - l')^2).

    Returns:
        None where q' is 0; without an interval where a percentile has none.
    """
    if not theirs.value > 0:
        return None
    value = ours.value / theirs.value - 1
    bounds = (*(ours.interval or ()), *(theirs.interval or ()))
    if len(bounds) < 4 or min(bounds) <= 0:
        return Estimate(value, None)
    low, high, their_low, their_high = map(log, bounds)
    mine, other = log(ours.value), log(theirs.value)
    down = sqrt((mine - low) ** 2 + (their_high - other) ** 2)
    up = sqrt((high - mine) ** 2 + (other - their_low) ** 2)
    return Estimate(value, (exp(mine - other - down) - 1, exp(mine - other + up) - 1))
