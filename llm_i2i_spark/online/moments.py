"""Ratios of means over users, with intervals by the delta method, from sums alone.

The users of an A/B test are randomised, not its exposures or clicks, so the variance of a ratio
such as clicks over exposures must be that over users. A user's events are correlated, and an
interval that takes exposures for independent is too narrow. The delta method gives the variance
from the number of users, the sums and the cross products of what is counted for each: Spark adds
these up, and no row of a user comes to the driver. A bootstrap over users would need one further
pass over the log for every resample and agrees with it where there are many users.

Sources: Deng, Knoblich and Lu 2018, "Applying the Delta Method in Metric Analytics: A Practical
Guide with Novel Ideas", KDD, sections 2 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array
from llm_i2i_spark.metrics.paired import Estimate

Z = 1.959963984540054
"""Standard normal quantile of 97.5 %: intervals are of 95 %."""


@dataclass(frozen=True)
class Moments:
    """Number, sums and cross products of vectors of which each user has one.

    Attributes:
        users: how many vectors.
        sums: (columns,) their sum.
        products: (columns, columns) the sum of their outer products with themselves.
    """

    users: int
    sums: Float64Array
    products: Float64Array

    @classmethod
    def of(cls, values: Float64Array) -> Moments:
        """The moments of (users, columns) values."""
        return cls(len(values), values.sum(axis=0), values.T @ values)

    @property
    def covariance(self) -> Float64Array:
        """(columns, columns) sample covariance of two columns of a user; needs two users."""
        mean = self.sums / self.users
        covariance: Float64Array = (self.products - self.users * np.outer(mean, mean)) / (
            self.users - 1
        )
        return covariance


@dataclass(frozen=True)
class Ratio:
    """A mean over users, or a ratio of two such means.

    R = sum of the numerator / sum of the denominator. To first order R varies with the means of a
    user's columns as `gradient` says, so that Var(R) = gradient' Cov gradient / users.

    Attributes:
        value: R.
        gradient: (columns,) derivative of R by the mean of each column.
        moments: what it comes from.
    """

    value: float
    gradient: Float64Array
    moments: Moments

    @property
    def standard_error(self) -> float | None:
        """Of R, by the delta method; None with one user, or where R does not vary among users."""
        if self.moments.users < 2:
            return None
        variance = self.gradient @ self.moments.covariance @ self.gradient / self.moments.users
        # A share that is 0 or 1 for everybody leaves rounding errors of its square.
        return sqrt(variance) if variance > 1e-18 * max(self.value**2, 1e-18) else None

    @property
    def estimate(self) -> Estimate:
        """R with its 95 % interval R -/+ 1.96 standard errors."""
        error = self.standard_error
        if error is None:
            return Estimate(self.value, None)
        return Estimate(self.value, (self.value - Z * error, self.value + Z * error))

    @property
    def share_estimate(self) -> Estimate:
        """The same of an R that is a share of something: the interval ends at 0 and 1."""
        value, bounds = self.estimate
        return Estimate(value, bounds and (max(bounds[0], 0.0), min(bounds[1], 1.0)))


def ratio_of(moments: Moments, numerator: int, denominator: int | None = None) -> Ratio | None:
    """The ratio of two columns' sums.

    Args:
        moments: over users.
        numerator: position of a column.
        denominator: position of a column; None for the number of users, so that it is a mean.

    Returns:
        None where the denominator is 0.
    """
    gradient = np.zeros(len(moments.sums))
    below = float(moments.users if denominator is None else moments.sums[denominator])
    if below <= 0:
        return None
    value = float(moments.sums[numerator]) / below
    mean_below = below / moments.users
    gradient[numerator] = 1 / mean_below
    if denominator is not None:
        gradient[denominator] -= value / mean_below
    return Ratio(value, gradient, moments)


def relative_difference(ours: Ratio, theirs: Ratio) -> Estimate | None:
    """R / R' - 1 with its 95 % interval.

    The interval is that of log R - log R' with variance
    Var(R) / R^2 + Var(R') / R'^2 - 2 Cov(R, R') / (R R'), so it never reaches below -100 %. The
    covariance is 0 for the ratios of two arms, which have no user in common, and that of the
    gradients where both come from the same moments.

    Returns:
        None where R' is 0. Without an interval where R is 0 or a variance cannot be told.
    """
    if not theirs.value > 0:
        return None
    value = ours.value / theirs.value - 1
    errors = ours.standard_error, theirs.standard_error
    if not ours.value > 0 or ours.moments.users < 2 or theirs.moments.users < 2:
        return Estimate(value, None)
    relative = [
        (error or 0.0) / abs(one.value) for error, one in zip(errors, (ours, theirs), strict=True)
    ]
    variance = relative[0] ** 2 + relative[1] ** 2
    if ours.moments is theirs.moments:
        shared = ours.gradient @ ours.moments.covariance @ theirs.gradient / ours.moments.users
        variance -= 2 * float(shared) / (ours.value * theirs.value)
    if variance <= 0 or errors == (None, None):
        return Estimate(value, None)
    middle, half = log(ours.value / theirs.value), Z * sqrt(variance)
    return Estimate(value, (exp(middle - half) - 1, exp(middle + half) - 1))
