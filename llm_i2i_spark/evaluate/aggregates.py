"""What Spark counts: users with equal ranks, exposures of items, the fullness of the indexes; and
reading these counts into arrays. A few thousand rows go to the driver, whatever the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.evaluate.catalogue import edges_reached
from llm_i2i_spark.evaluate.metric_rows import CountsKey
from llm_i2i_spark.evaluate.queries import Systems, in_every_system, system_position
from llm_i2i_spark.evaluate.slice_members import item_members, user_members
from llm_i2i_spark.evaluate.slices import ITEM_SLICES
from llm_i2i_spark.kernels.arrays import BoolArray, Int64Array
from llm_i2i_spark.metrics.counts import Counts, ExposureCounts, IndexCounts, PopularityCounts

SHARE_UNIT = 1_000_000
"""Shares of synthetic evidence are summed as whole millionths, exactly."""

SHARE_BINS = 20
"""Equal bins of the share of synthetic evidence, besides the one for none at all."""


@dataclass(frozen=True)
class RankGroups:
    """Groups of users whose held-out items stand alike in every system.

    Attributes:
        better: (groups, systems) items ranked strictly above the held-out one; -1 for a miss.
        ties: (groups, systems) items with the held-out one's score, itself included.
        users: (groups,) how many users a group has.
        member: (groups, slices) whether the group belongs to each of `SLICES`, by its held-out
            items and by its users.
    """

    better: Int64Array
    ties: Int64Array
    users: Int64Array
    member: BoolArray


def count_rank_groups(ranked: DataFrame, catalogue: DataFrame) -> DataFrame:
    """How many users stand alike: (bucket, long_tail, long_tail_train, history, better, ties,
    users).

    `better` and `ties` are arrays with an element a system, in order, so that systems stay paired
    by user. Users of one group are exchangeable in every metric and in the bootstrap; only these
    counts go to the driver.

    Args:
        ranked: from `queries.rank_users`.
        catalogue: from `catalogue.describe_catalogue`.
    """
    standings = F.sort_array(F.collect_list(F.struct("system", "better", "ties")))
    reached = edges_reached(F.col("history")).alias("history")
    users = ranked.groupBy("user_id", "target", reached).agg(standings.alias("standings"))
    kinds = catalogue.select(F.col("key").alias("target"), "bucket", "long_tail", "long_tail_train")
    paired = users.select(
        "target",
        "history",
        F.col("standings.better").alias("better"),
        F.col("standings.ties").alias("ties"),
    )
    return (
        paired.join(kinds, "target")
        .groupBy("bucket", "long_tail", "long_tail_train", "history", "better", "ties")
        .agg(F.count("*").alias("users"))
    )


def read_rank_groups(counted: pd.DataFrame, n_systems: int) -> RankGroups:
    """The rows of `count_rank_groups` as arrays, in an order that depends on nothing else."""
    better, ties = (
        np.array(counted[name].tolist(), np.int64).reshape(-1, n_systems)
        for name in ("better", "ties")
    )
    bucket, tail, tail_train = _kinds(counted)
    history = counted["history"].to_numpy(np.int64)
    order = np.lexsort((history, tail_train, tail, bucket, *ties.T, *better.T))
    of_items = item_members(bucket[order], tail[order], tail_train[order])
    return RankGroups(
        better=better[order],
        ties=ties[order],
        users=counted["users"].to_numpy(np.int64)[order],
        member=np.hstack([of_items, user_members(history[order])]),
    )


def count_exposure(
    ranked: DataFrame, catalogue: DataFrame, n_systems: int, ks: Sequence[int]
) -> DataFrame:
    """How often items are recommended within the first k: (system, k, seen, exposure, items,
    shown), zeros included.

    Two groupings in one frame: rows with `seen` null tell how many `items` were recommended
    `exposure` times; rows with `exposure` null tell how many recommendations (`shown`) fell on
    items that the models had seen `seen` times.
    """
    shown = ranked.select("system", F.posexplode("recommended").alias("above", "key"))
    counts = shown.groupBy("system", "key").agg(
        *(F.count(F.when(F.col("above") < k, 1)).alias(f"at_{k}") for k in ks)
    )
    wide = (
        in_every_system(catalogue.select("key", "seen"), n_systems)
        .join(counts, ["system", "key"], "left")
        .fillna(0)
    )
    pairs = F.explode(
        F.array(*(F.struct(F.lit(k).alias("k"), F.col(f"at_{k}").alias("exposure")) for k in ks))
    )
    long = wide.select("system", "seen", pairs.alias("pair")).select(
        "system", "pair.k", "seen", "pair.exposure"
    )
    by = [["system", "k", "exposure"], ["system", "k", "seen"]]
    grouped = long.withColumn("times", F.col("exposure")).groupingSets(
        by, "system", "k", "seen", "exposure"
    )
    return grouped.agg(F.count("*").alias("items"), F.sum("times").alias("shown"))


def read_exposure(counted: pd.DataFrame) -> dict[CountsKey, Counts]:
    """The rows of `count_exposure` as counts of each system and length of list."""
    found: dict[CountsKey, Counts] = {}
    pairs = zip(counted["system"].tolist(), counted["k"].tolist(), strict=True)
    for system, k in dict.fromkeys(pairs):
        part = counted[(counted["system"] == system) & (counted["k"] == k)]
        by_exposure = part[part["seen"].isna()].sort_values("exposure")
        by_popularity = part[part["exposure"].isna()].sort_values("seen")
        found[ExposureCounts, system, "all", k] = ExposureCounts(
            times=by_exposure["exposure"].to_numpy(np.int64),
            items=by_exposure["items"].to_numpy(np.int64),
        )
        found[PopularityCounts, system, "all", k] = PopularityCounts(
            seen=by_popularity["seen"].to_numpy(np.int64),
            items=by_popularity["items"].to_numpy(np.int64),
            recommended=by_popularity["shown"].to_numpy(np.int64),
        )
    return found


def count_index(index: DataFrame, catalogue: DataFrame, systems: Systems) -> DataFrame:
    """How full the index is, by kind of item: (system, bucket, long_tail, long_tail_train, items,
    filled, neighbors, known, share).

    `filled` items have a neighbour; of `known` neighbours the share of synthetic evidence is known,
    and `share` is the sum of these, in millionths.
    """
    shares = F.filter("neighbors.synthetic_share", lambda share: share.isNotNull())
    millionths = F.transform(shares, lambda share: F.round(share * SHARE_UNIT).cast("bigint"))
    lists = index.select(
        system_position(systems),
        "item_id",
        F.size("neighbors").alias("length"),
        F.size(shares).alias("known"),
        F.aggregate(millionths, F.lit(0).cast("bigint"), lambda total, share: total + share).alias(
            "share"
        ),
    )
    held = (
        in_every_system(catalogue, len(systems))
        .join(lists, ["system", "item_id"], "left")
        .fillna(0, ["length", "known", "share"])
    )
    return held.groupBy("system", "bucket", "long_tail", "long_tail_train").agg(
        F.count("*").alias("items"),
        F.count(F.when(F.col("length") > 0, 1)).alias("filled"),
        F.sum("length").alias("neighbors"),
        F.sum("known").alias("known"),
        F.sum("share").alias("share"),
    )


def read_index(counted: pd.DataFrame) -> dict[CountsKey, Counts]:
    """The rows of `count_index` as counts of each system and slice that has an item."""
    found: dict[CountsKey, Counts] = {}
    for system in dict.fromkeys(counted["system"].tolist()):
        part = counted[counted["system"] == system]
        sums = item_members(*_kinds(part)).T @ part[
            ["items", "filled", "neighbors", "known", "share"]
        ].to_numpy(np.int64)
        for name, (items, filled, neighbors, known, share) in zip(
            ITEM_SLICES, sums.tolist(), strict=True
        ):
            if items:
                counts = IndexCounts(items, filled, neighbors, known, share / SHARE_UNIT)
                found[IndexCounts, system, name, 0] = counts
    return found


def count_synthetic_shares(index: DataFrame, systems: Systems) -> DataFrame:
    """Neighbours by how much of their evidence is synthetic: (system, bin, neighbors).

    Bin 0 is none at all, bin b the shares above (b - 1) / `SHARE_BINS` up to b / `SHARE_BINS`.
    Neighbours whose share is not known are left out.
    """
    shares = index.select(
        system_position(systems), F.explode("neighbors.synthetic_share").alias("share")
    )
    bins = F.ceil(F.round(F.col("share") * SHARE_BINS, 9)).cast("int")
    return (
        shares.where("system IS NOT NULL AND share IS NOT NULL")
        .groupBy("system", bins.alias("bin"))
        .agg(F.count("*").alias("neighbors"))
    )


def _kinds(counted: pd.DataFrame) -> tuple[Int64Array, BoolArray, BoolArray]:
    """Bucket and long-tail marks of each row, as `slices.item_members` takes them."""
    return (
        counted["bucket"].to_numpy(np.int64),
        counted["long_tail"].to_numpy(bool),
        counted["long_tail_train"].to_numpy(bool),
    )
