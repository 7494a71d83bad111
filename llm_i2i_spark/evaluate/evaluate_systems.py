"""One evaluation, from tables to figures: the Spark actions, and what comes back to the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.evaluate.aggregates import (
    count_exposure,
    count_index,
    count_rank_groups,
    read_exposure,
    read_index,
    read_rank_groups,
)
from llm_i2i_spark.evaluate.catalogue import describe_catalogue
from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.metric_rows import (
    CountsKey,
    Identity,
    beyond_accuracy_rows,
    ranking_rows,
)
from llm_i2i_spark.evaluate.notes import evaluation_notes
from llm_i2i_spark.evaluate.queries import Systems, rank_users, select_lists, select_queries
from llm_i2i_spark.evaluate.settings import EvaluationSettings
from llm_i2i_spark.evaluate.systems import BASELINE, System, baselines_of
from llm_i2i_spark.metrics import BeyondAccuracyMetric, Metric, RankingMetric
from llm_i2i_spark.metrics.counts import Counts, ExposureCounts, IndexCounts, PopularityCounts
from llm_i2i_spark.metrics.metric import per_user_values
from llm_i2i_spark.metrics.paired import paired_means

Staged = Callable[[DataFrame, str], DataFrame]
"""Computes a DataFrame once, under a title for the progress bar, and gives back the same rows."""


@dataclass(frozen=True)
class Tables:
    """What an evaluation reads, as DataFrames of the contracts."""

    index: DataFrame
    interactions: DataFrame
    items: DataFrame
    item_stats: DataFrame


@contextmanager
def cached() -> Iterator[Staged]:
    """A `Staged` that keeps rows in Spark's cache for the length of the block: for callers without
    a lake.
    """
    kept: list[DataFrame] = []

    def stage(frame: DataFrame, title: str) -> DataFrame:
        kept.append(frame.persist())
        return kept[-1]

    try:
        yield stage
    finally:
        for frame in kept:
            frame.unpersist()


def evaluate_systems(
    tables: Tables,
    systems: Systems,
    settings: EvaluationSettings,
    staged: Staged,
    *,
    run_id: str = "",
    baselines: Sequence[int | None] | None = None,
    baseline: str = BASELINE,
) -> Evaluation:
    """Rank every user's held-out item in every system, and describe the lists themselves.

    Args:
        tables: what is read.
        systems: (variant, backbone) pairs; one without rows in the index is all misses.
        settings: what is asked.
        staged: computes a DataFrame that is read more than once.
        run_id: stands in every row.
        baselines: for each system the position of the one that its gains are over, or None; without
            it, `real` on the same backbone.
        baseline: what gains are said to be over.

    Raises:
        InputDataError: no user has a row in the target fold.
    """
    queries = select_queries(
        tables.interactions,
        settings.target,
        settings.query_folds,
        settings.recent_items,
        settings.remove_seen,
    )
    lists = select_lists(tables.index, systems, add_self=not settings.remove_seen)
    queries = staged(queries, "evaluate: queries")
    ranked = rank_users(queries, lists, len(systems), settings.decay, _longest(settings.metrics))
    catalogue = staged(_describe(tables, settings), "evaluate: catalogue")
    ranks = staged(ranked, "evaluate: ranking held-out items")
    groups = read_rank_groups(count_rank_groups(ranks, catalogue).toPandas(), len(systems))
    if not groups.users.sum():
        raise InputDataError(
            f"No user has an interaction in fold {settings.target}: ingest more history, or"
            " choose another holdout."
        )
    counts = _count(settings.metrics, ranks, catalogue, tables.index, systems)
    ranking = [metric for metric in settings.metrics if isinstance(metric, RankingMetric)]
    values = per_user_values(ranking, groups.better, groups.ties)
    means = paired_means(values, groups.users, groups.member, settings.resamples, settings.seed)
    identity: Identity = {"run_id": run_id, "protocol": settings.protocol}
    against = baselines_of(systems) if baselines is None else baselines
    return Evaluation(
        systems=tuple(System(*system) for system in systems),
        metrics=settings.metrics,
        protocol=settings.protocol,
        means=means,
        baseline=baseline,
        notes=evaluation_notes(settings, means.users),
        rows=[
            *ranking_rows(means, systems, against, ranking, identity),
            *beyond_accuracy_rows(counts, systems, _beyond(settings.metrics), identity),
        ],
    )


def _describe(tables: Tables, settings: EvaluationSettings) -> DataFrame:
    return describe_catalogue(
        tables.items,
        tables.item_stats,
        tables.interactions,
        settings.model_folds,
        settings.long_tail_share,
    )


def _count(
    metrics: Sequence[Metric],
    ranks: DataFrame,
    catalogue: DataFrame,
    index: DataFrame,
    systems: Systems,
) -> dict[CountsKey, Counts]:
    """The counts that the metrics need, and no others."""
    counts: dict[CountsKey, Counts] = {}
    ks = _exposure_lengths(metrics)
    if ks:
        counts |= read_exposure(count_exposure(ranks, catalogue, len(systems), ks).toPandas())
    if any(metric.needs is IndexCounts for metric in _beyond(metrics)):
        counts |= read_index(count_index(index, catalogue, systems).toPandas())
    return counts


def _beyond(metrics: Sequence[Metric]) -> list[BeyondAccuracyMetric[Any]]:
    return [metric for metric in metrics if isinstance(metric, BeyondAccuracyMetric)]


def _exposure_lengths(metrics: Sequence[Metric]) -> list[int]:
    """The lengths of list at which recommendations are counted."""
    kinds = (ExposureCounts, PopularityCounts)
    return sorted({metric.k for metric in _beyond(metrics) if metric.needs in kinds})


def _longest(metrics: Sequence[Metric]) -> int:
    return max(_exposure_lengths(metrics), default=1)
