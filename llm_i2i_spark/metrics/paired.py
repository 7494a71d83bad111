"""Several systems judged on the same users: means, paired gains over a baseline, and tests.

Every figure comes from one set of resamples of the users (`bootstrap.resample_means`), so that a
difference of two systems is paired by user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from llm_i2i_spark.kernels.arrays import BoolArray, Float64Array, Int64Array
from llm_i2i_spark.metrics.bootstrap import percentile_interval, resample_means, slice_means


class Estimate(NamedTuple):
    """A value with its 95 % interval; without one where resamples leave it undefined."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class SystemMeans:
    """One metric in one slice of the users, for every system.

    Attributes:
        point: (systems,) the mean over the users.
        samples: (resamples, systems) the mean over each resample of the users, the same resample in
            all columns; NaN where it holds nobody of the slice.
    """

    point: Float64Array
    samples: Float64Array

    def mean(self, system: int) -> Estimate:
        """The mean of a system."""
        samples = self.samples[:, system]
        return Estimate(float(self.point[system]), percentile_interval(samples))

    def gain(self, system: int, baseline: int) -> Estimate:
        """The mean of a system less that of another, paired by user."""
        value = float(self.point[system] - self.point[baseline])
        return Estimate(value, percentile_interval(self._differences(system, baseline)))

    def relative_gain(self, system: int, baseline: int) -> Estimate | None:
        """The ratio of the means less one, paired by user; None where the baseline is 0.

        It has no interval where some resample leaves the baseline, and not the system, at 0.
        """
        if not self.point[baseline] > 0:
            return None
        ours, theirs = self.samples[:, system], self.samples[:, baseline]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = ours / theirs - 1
        # 0 / 0 is a resample in which neither hits: no change, not an empty one.
        ratio[(ours == 0) & (theirs == 0)] = 0.0
        value = float(self.point[system] / self.point[baseline] - 1)
        return Estimate(value, percentile_interval(ratio))

    def p_value(self, system: int, baseline: int) -> float:
        """Two-sided bootstrap test of the hypothesis that two systems have the same mean.

        p = min(1, 2 * (1 + min(#{d <= 0}, #{d >= 0})) / (B + 1)), where d are the B differences of
        the resampled means, paired by user: twice the share of resamples on the far side of zero,
        with one more counted so that p is never 0. This is the test that belongs to the percentile
        interval (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", sections 13.3 and
        15.4; the added one as in Davison and Hinkley 1997, "Bootstrap Methods and their
        Application", chapter 4): but for one resample at the border, p is below 0.05 just where the
        95 % interval of the gain leaves zero out. The least p is
        2 / (B + 1). 1 where no resample holds a user of the slice.
        """
        differences = self._differences(system, baseline)
        drawn = differences[~np.isnan(differences)]
        if len(drawn) == 0:
            return 1.0
        far_side = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        return min(1.0, 2 * (1 + far_side) / (len(drawn) + 1))

    def _differences(self, system: int, baseline: int) -> Float64Array:
        return self.samples[:, system] - self.samples[:, baseline]


@dataclass(frozen=True)
class PairedMeans:
    """The means of every metric of every system in every slice, over the users and resamples.

    Attributes:
        point: (slices, systems, metrics)
        samples: (resamples, slices, systems, metrics)
        users: (slices,) users of a slice.
    """

    point: Float64Array
    samples: Float64Array
    users: Int64Array

    def of(self, part: int, metric: int) -> SystemMeans:
        """One metric in one slice, both by position."""
        return SystemMeans(self.point[part, :, metric], self.samples[:, part, :, metric])

    def only(self, metrics: Sequence[int]) -> PairedMeans:
        """Some of the metrics, by position, in the order given."""
        chosen = list(metrics)
        return PairedMeans(self.point[..., chosen], self.samples[..., chosen], self.users)


def paired_means(
    values: Float64Array, users: Int64Array, member: BoolArray, resamples: int, seed: int
) -> PairedMeans:
    """Mean values over the users and over resamples of them, one draw for all systems and metrics.

    Args:
        values: (groups, systems, metrics) value of each user of a group.
        users: (groups,) how many users a group has.
        member: (groups, slices) which slices a group belongs to.
        resamples: how many draws.
        seed: of the draws.
    """
    groups, n_systems, n_metrics = values.shape
    flat = values.reshape(groups, n_systems * n_metrics)
    shape = (member.shape[1], n_systems, n_metrics)
    return PairedMeans(
        point=slice_means(flat, users, member).reshape(shape),
        samples=resample_means(flat, users, member, resamples, seed).reshape(resamples, *shape),
        users=member.T @ users,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several tests, adjusted so that the chance of any false discovery stays bounded.

    With p(1) <= .. <= p(m), the i-th becomes max over j <= i of min(1, (m - j + 1) * p(j)):
    rejecting where that is below 0.05 keeps the family-wise error at 5 %, whatever the tests have
    in common. Source: Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    order = sorted(range(len(p_values)), key=lambda test: p_values[test])
    for before, test in enumerate(order):
        reached = max(reached, min(1.0, (len(p_values) - before) * p_values[test]))
        adjusted[test] = reached
    return adjusted
