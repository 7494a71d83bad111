"""Where the held-out items stand in some indexes, each merged by the settings it was tried with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.aggregates import count_rank_groups, read_rank_groups
from llm_i2i_spark.evaluate.catalogue import describe_catalogue
from llm_i2i_spark.evaluate.queries import rank_users, select_lists, select_queries
from llm_i2i_spark.evaluate.settings import settings_of
from llm_i2i_spark.evaluate.slices import SLICES
from llm_i2i_spark.experiments.tuning.objective import Objective
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.metrics.metric import per_user_values
from llm_i2i_spark.metrics.paired import SystemMeans, paired_means


@dataclass(frozen=True)
class TriedIndex:
    """An index and how it was tried.

    Attributes:
        config: of the trial.
        version: of the table `item_index` that holds it.
    """

    config: Config
    version: int


def measure(
    lake: Lake, system: tuple[str, str], tried: Sequence[TriedIndex], objective: Objective
) -> tuple[SystemMeans, int]:
    """The metric of some indexes on the same users, as stage `evaluate` would find it.

    Unlike there, each index is merged by its own `index.decay` and `index.recent_items`.

    Args:
        lake: of the trials.
        system: variant and backbone.
        tried: the indexes, in the order of the result.
        objective: metric and slice.

    Returns:
        The means, and how many users there are.

    Raises:
        InputDataError: no held-out item is in the slice.
    """
    shared = settings_of(tried[0].config)
    interactions = lake.read("interactions")
    catalogue = describe_catalogue(
        lake.read("items"),
        lake.read("item_stats"),
        interactions,
        shared.model_folds,
        shared.long_tail_share,
    )
    ranked = reduce(
        DataFrame.unionByName,
        (
            _ranks(lake, interactions, system, one).withColumn("system", F.lit(position))
            for position, one in enumerate(tried)
        ),
    )
    groups = read_rank_groups(count_rank_groups(ranked, catalogue).toPandas(), len(tried))
    values = per_user_values([objective.metric], groups.better, groups.ties)
    means = paired_means(values, groups.users, groups.member, shared.resamples, shared.seed)
    part = SLICES.index(objective.part)
    if not means.users[part]:
        raise InputDataError(
            f"No item of the validation fold is in slice {objective.part}: choose another slice,"
            " or ingest more history."
        )
    return means.of(part, 0), int(means.users[part])


def _ranks(
    lake: Lake, interactions: DataFrame, system: tuple[str, str], tried: TriedIndex
) -> DataFrame:
    settings = settings_of(tried.config)
    queries = select_queries(
        interactions,
        settings.target,
        settings.query_folds,
        settings.recent_items,
        settings.remove_seen,
    )
    scope = dict(zip(("variant", "backbone"), system, strict=True))
    index = lake.read("item_index", tried.version, scope)
    lists = select_lists(index, [system], add_self=not settings.remove_seen)
    return rank_users(queries, lists, 1, settings.decay, top=1)
