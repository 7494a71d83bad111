"""Groups of users with chosen ranks, and what an evaluation makes of them, without Spark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_i2i_spark.evaluate.aggregates import RankGroups
from llm_i2i_spark.evaluate.metric_rows import MetricRow, ranking_rows
from llm_i2i_spark.evaluate.slice_members import item_members, user_members
from llm_i2i_spark.evaluate.systems import baselines_of
from llm_i2i_spark.metrics import RankingMetric
from llm_i2i_spark.metrics.metric import per_user_values
from llm_i2i_spark.metrics.paired import PairedMeans, paired_means

BOTH = [("real", "swing"), ("llm_i2i", "swing")]
IDENTITY = {"run_id": "r1", "protocol": "refit"}


def rank_groups(
    better: Sequence[Sequence[int]], users: Sequence[int], tail: Sequence[bool]
) -> RankGroups:
    """Groups of users without ties, whose histories are of 1 to 4 interactions.

    Args:
        better: by group and system, items above the held-out one; -1 for a miss.
        users: by group.
        tail: by group, whether the held-out items are long tail (and seen 1 to 4 times).
    """
    ranks = np.array(better, np.int64).reshape(len(users), -1)
    flags = np.array(tail)
    of_items = item_members(np.where(flags, 1, 5), flags, flags)
    member = np.hstack([of_items, user_members(np.ones(len(users), np.int64))])
    return RankGroups(ranks, np.where(ranks >= 0, 1, 0), np.array(users, np.int64), member)


def means_of(
    groups: RankGroups, metrics: Sequence[RankingMetric], resamples: int = 300, seed: int = 1
) -> PairedMeans:
    """Means of metrics over the users and resamples of them."""
    values = per_user_values(metrics, groups.better, groups.ties)
    return paired_means(values, groups.users, groups.member, resamples, seed)


def rows_of(
    groups: RankGroups,
    metrics: Sequence[RankingMetric],
    systems: Sequence[tuple[str, str]] = BOTH,
    resamples: int = 300,
) -> list[MetricRow]:
    """The rows of the ranking metrics, gains over `real` among them."""
    means = means_of(groups, metrics, resamples)
    return ranking_rows(means, systems, baselines_of(systems), metrics, IDENTITY)
