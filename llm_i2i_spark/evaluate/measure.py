"""One evaluation from tables to metric rows: the Spark actions, and what comes back to the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.accuracy import Identity, MetricRow, accuracy_rows
from llm_i2i_spark.evaluate.breadth import breadth_rows, index_rows
from llm_i2i_spark.evaluate.outcomes import Outcomes, slice_members
from llm_i2i_spark.evaluate.transform import (
    count_exposure,
    count_index,
    count_outcomes,
    count_shares,
    describe_catalogue,
    rank_users,
    select_lists,
    select_queries,
)
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake


@dataclass(frozen=True)
class Tables:
    """What an evaluation reads, as DataFrames of the contracts."""

    index: DataFrame
    interactions: DataFrame
    items: DataFrame
    item_stats: DataFrame


@dataclass(frozen=True)
class Measured:
    """What an evaluation found.

    Attributes:
        rows: for the table `metrics`.
        shares: (series, bin, neighbors), from `transform.count_shares`.
    """

    rows: list[MetricRow]
    shares: pd.DataFrame


def check_holdout(config: Config) -> None:
    """Make sure that something is held out.

    Raises:
        UserError: `split.holdout` is none, or leaves the asked fold empty.
    """
    holdout = config.split.holdout
    if holdout == "none":
        raise UserError(
            "There is nothing to evaluate: split.holdout=none keeps every interaction for"
            " training; set it to last_2."
        )
    if holdout == "last_1" and config.evaluate.target == "valid":
        raise UserError(
            "evaluate.target=valid has no rows: split.holdout=last_1 holds out a test fold alone;"
            " set it to last_2."
        )


def measure(
    lake: Lake, config: Config, tables: Tables, series: Sequence[tuple[str, str]], run_id: str
) -> Measured:
    """Rank every user's held-out item in every series, and describe the lists themselves.

    Args:
        series: (variant, backbone) pairs; one without rows in the index is all misses.
        run_id: stands in every row.

    Raises:
        UserError: no user has a row in the target fold.
    """
    settings = config.evaluate
    queries = select_queries(
        tables.interactions, settings.target, config.query_folds, config.index.recent_items
    )
    described = describe_catalogue(
        tables.items,
        tables.item_stats,
        tables.interactions,
        config.model_folds,
        config.ingest.long_tail_share,
    )
    lists = select_lists(tables.index, series)
    ranked = rank_users(queries, lists, len(series), config.index.decay, max(settings.ks))
    identity: Identity = {"run_id": run_id, "protocol": config.split.protocol}
    with (
        materialized(lake, described, "evaluate: catalogue") as catalogue,
        materialized(lake, ranked, "evaluate: ranking held-out items") as ranks,
    ):
        outcomes = read_outcomes(count_outcomes(ranks, catalogue).toPandas(), len(series))
        if not outcomes.users.sum():
            raise UserError(
                f"No user has an interaction in fold {settings.target}: ingest more history, or"
                " choose another holdout."
            )
        exposure = count_exposure(ranks, catalogue, len(series), settings.ks).toPandas()
        held = count_index(tables.index, catalogue, series).toPandas()
    rows = accuracy_rows(outcomes, series, settings.ks, settings.bootstrap, config.seed, identity)
    rows += breadth_rows(exposure, series, identity)
    rows += index_rows(held, series, identity)
    return Measured(rows, count_shares(tables.index, series).toPandas())


def read_outcomes(counted: pd.DataFrame, n_series: int) -> Outcomes:
    """The groups of `transform.count_outcomes` as arrays, in an order that depends on their content
    alone.
    """
    better, ties = (
        np.array(counted[name].tolist(), np.int64).reshape(-1, n_series)
        for name in ("better", "ties")
    )
    bucket = counted["bucket"].to_numpy(np.int64)
    tail, tail_train = (
        counted["long_tail"].to_numpy(bool),
        counted["long_tail_train"].to_numpy(bool),
    )
    order = np.lexsort((tail_train, tail, bucket, *ties.T, *better.T))
    return Outcomes(
        better=better[order],
        ties=ties[order],
        users=counted["users"].to_numpy(np.int64)[order],
        member=slice_members(bucket[order], tail[order], tail_train[order]),
    )
