"""Queries, catalogue and lists as DataFrames; ranks by user, what is recommended how often, what
the index holds.

Inside, an item is the 64-bit hash of its id (`item_key`). A false match needs two of the few
thousand items of one user to share a hash, a chance of about 1e-13 a user, and no dictionary of the
catalogue has to travel. Sums that the result depends on run over integers or in a fixed order, so
partitions and row order never show.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.evaluate.ranking import RANKED_DDL, rank_batches

Series = Sequence[tuple[str, str]]
"""(variant, backbone) pairs; a series is known by its place in the sequence."""

POPULARITY_EDGES = (0, 1, 5, 10, 20, 50)
"""Lower ends of the popularity buckets of a target: interactions with the item that the models have
seen.
"""

SHARE_UNIT = 1_000_000
"""Shares are summed as whole millionths, exactly."""

SHARE_BINS = 20


def item_key(item_id: Column | str) -> Column:
    """The 64-bit hash that stands for an item id."""
    return F.xxhash64(item_id)


def select_queries(
    interactions: DataFrame, target: str, query_folds: Sequence[str], recent_items: int
) -> DataFrame:
    """One row a user who has a row in the target fold: (user_id, target, owned, clicks).

    The target is their first row of that fold; the query is their rows of `query_folds` before it.

    Args:
        interactions: as in the contract.
        target: the fold of the targets.
        query_folds: the folds that a query may hold.
        recent_items: how many of the latest query items become `clicks`.

    Returns:
        target bigint (item key), owned array<bigint> (keys of all query items), clicks
        array<string> (latest first).
    """
    place = F.struct("position", "item_id")
    users = interactions.groupBy("user_id").agg(
        F.min(F.when(F.col("fold") == target, place)).alias("held_out"),
        F.collect_list(F.when(F.col("fold").isin(*query_folds), place)).alias("rows"),
    )
    before = F.sort_array(
        F.filter("rows", lambda row: row["position"] < F.col("held_out.position")), asc=False
    )
    return users.where("held_out IS NOT NULL").select(
        "user_id",
        item_key("held_out.item_id").alias("target"),
        F.transform(before, lambda row: item_key(row["item_id"])).alias("owned"),
        F.transform(F.slice(before, 1, recent_items), lambda row: row["item_id"]).alias("clicks"),
    )


def select_lists(index: DataFrame, series: Series) -> DataFrame:
    """The neighbour lists of the given series as flat arrays: (series, item_id, neighbors, scores)."""
    return index.select(
        _series_number(series),
        "item_id",
        F.transform("neighbors", lambda neighbor: item_key(neighbor["item_id"])).alias("neighbors"),
        F.transform("neighbors", lambda neighbor: neighbor["score"]).alias("scores"),
    ).where("series IS NOT NULL")


def rank_users(
    queries: DataFrame, lists: DataFrame, n_series: int, decay: float, top: int
) -> DataFrame:
    """Rank every user's target in every series: one row a series and user, with the columns of
    `RANKED_DDL`.

    Each click fetches its list whole; a user's lists meet in one partition, next to each other, and
    are merged by a compiled kernel. Neighbours are never exploded into rows.

    Args:
        queries: from `select_queries`.
        lists: from `select_lists`.
        n_series: how many series there are.
        decay: weight of a click relative to the next later one.
        top: how many recommended items to keep a user.
    """
    empty_keys, empty_scores = F.array().cast("array<bigint>"), F.array().cast("array<double>")
    clicks = queries.select(
        "user_id", "target", "owned", F.posexplode_outer("clicks").alias("place", "item_id")
    )
    steps = _every_series(clicks.withColumn("step", F.coalesce("place", F.lit(0))), n_series)
    rows = steps.join(lists, ["series", "item_id"], "left").select(
        "series",
        "user_id",
        "target",
        "step",
        F.pow(F.lit(decay), F.col("step")).alias("weight"),
        F.when(F.col("step") == 0, F.col("owned")).otherwise(empty_keys).alias("owned"),
        F.coalesce("neighbors", empty_keys).alias("neighbors"),
        F.coalesce("scores", empty_scores).alias("scores"),
    )
    together = rows.repartition("user_id").sortWithinPartitions("user_id", "series", "step")
    return together.mapInArrow(partial(rank_batches, top=top), RANKED_DDL)


def describe_catalogue(
    items: DataFrame,
    item_stats: DataFrame,
    interactions: DataFrame,
    model_folds: Sequence[str],
    long_tail_share: float,
) -> DataFrame:
    """Every item with what its slices need: (item_id, key, seen, bucket, long_tail,
    long_tail_train).

    Args:
        items: the catalogue; items that occur in interactions alone are added.
        item_stats: with `is_long_tail`, by the training fold.
        interactions: as in the contract.
        model_folds: the folds that the models have seen.
        long_tail_share: bottom share of items that is the long tail.

    Returns:
        seen: interactions with the item in `model_folds`; bucket: the last of `POPULARITY_EDGES` it
            reaches, by place;
        long_tail: in the bottom share by count in all folds, or never seen at all.
    """
    counts = interactions.groupBy("item_id").agg(
        F.count("*").alias("total"),
        F.count(F.when(F.col("fold").isin(*model_folds), 1)).alias("seen"),
    )
    tail = mark_long_tail(counts, long_tail_share)
    everything = items.select("item_id").join(tail, "item_id", "full")
    marked = everything.join(
        item_stats.select("item_id", F.col("is_long_tail").alias("long_tail_train")),
        "item_id",
        "left",
    )
    reached: Column = sum((F.col("seen") >= edge).cast("int") for edge in POPULARITY_EDGES[1:])  # type: ignore[assignment]
    return (
        marked.fillna({"seen": 0, "long_tail": True, "long_tail_train": True})
        .withColumn("bucket", reached)
        .select(
            "item_id",
            item_key("item_id").alias("key"),
            "seen",
            "bucket",
            "long_tail",
            "long_tail_train",
        )
    )


def mark_long_tail(counts: DataFrame, share: float) -> DataFrame:
    """Add `long_tail`: the bottom share of the items by `total`, exactly floor(share * items) of
    them.

    Where a count straddles the border, shorter ids go first and then the alphabet, so that whole
    numbers stand in their own order: this is the slice of the published figures.
    """
    classes = counts.groupBy("total").agg(F.count("*").alias("items"))
    upwards = Window.orderBy("total").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    everything = Window.orderBy("total").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    room = F.floor(F.sum("items").over(everything) * F.lit(share)) - (
        F.sum("items").over(upwards) - F.col("items")
    )
    within = Window.partitionBy("total").orderBy(F.length("item_id"), "item_id")
    ranked = counts.join(classes.select("total", room.alias("room")), "total")
    return ranked.withColumn("long_tail", F.row_number().over(within) <= F.col("room")).drop("room")


def count_outcomes(ranked: DataFrame, catalogue: DataFrame) -> DataFrame:
    """How many users share an outcome: (bucket, long_tail, long_tail_train, better, ties, users).

    `better` and `ties` are arrays with an element a series, in order, so that series stay paired by
    user. Users with equal outcomes are exchangeable in every metric and in the bootstrap; only
    these counts go to the driver.
    """
    standings = F.sort_array(F.collect_list(F.struct("series", "better", "ties")))
    users = ranked.groupBy("user_id", "target").agg(standings.alias("standings"))
    kinds = catalogue.select(F.col("key").alias("target"), "bucket", "long_tail", "long_tail_train")
    paired = users.select(
        "target", F.col("standings.better").alias("better"), F.col("standings.ties").alias("ties")
    )
    return (
        paired.join(kinds, "target")
        .groupBy("bucket", "long_tail", "long_tail_train", "better", "ties")
        .agg(F.count("*").alias("users"))
    )


def count_exposure(
    ranked: DataFrame, catalogue: DataFrame, n_series: int, ks: Sequence[int]
) -> DataFrame:
    """How often items are recommended within the first k: (series, k, seen, exposure, items,
    shown), zeros included.

    Two groupings in one frame: rows with `seen` null tell how many `items` were recommended
    `exposure` times; rows with `exposure` null tell how many recommendations (`shown`) fell on
    items that the models had seen `seen` times.
    """
    shown = ranked.select("series", F.posexplode("recommended").alias("place", "key"))
    counts = shown.groupBy("series", "key").agg(
        *(F.count(F.when(F.col("place") < k, 1)).alias(f"at_{k}") for k in ks)
    )
    wide = (
        _every_series(catalogue.select("key", "seen"), n_series)
        .join(counts, ["series", "key"], "left")
        .fillna(0)
    )
    pairs = F.explode(
        F.array(*(F.struct(F.lit(k).alias("k"), F.col(f"at_{k}").alias("exposure")) for k in ks))
    )
    long = wide.select("series", "seen", pairs.alias("pair")).select(
        "series", "pair.k", "seen", "pair.exposure"
    )
    by = [["series", "k", "exposure"], ["series", "k", "seen"]]
    grouped = long.withColumn("times", F.col("exposure")).groupingSets(
        by, "series", "k", "seen", "exposure"
    )
    return grouped.agg(F.count("*").alias("items"), F.sum("times").alias("shown"))


def count_index(index: DataFrame, catalogue: DataFrame, series: Series) -> DataFrame:
    """How full the index is, by kind of item: (series, bucket, long_tail, long_tail_train, items,
    filled, neighbors, share).

    `filled` items have a neighbour; `share` is the sum of their neighbours' synthetic shares, in
    millionths.
    """
    millionths = F.transform(
        "neighbors.synthetic_share", lambda share: F.round(share * SHARE_UNIT).cast("bigint")
    )
    lists = index.select(
        _series_number(series),
        "item_id",
        F.size("neighbors").alias("length"),
        F.aggregate(millionths, F.lit(0).cast("bigint"), lambda total, share: total + share).alias(
            "share"
        ),
    )
    held = (
        _every_series(catalogue, len(series))
        .join(lists, ["series", "item_id"], "left")
        .fillna(0, ["length", "share"])
    )
    return held.groupBy("series", "bucket", "long_tail", "long_tail_train").agg(
        F.count("*").alias("items"),
        F.count(F.when(F.col("length") > 0, 1)).alias("filled"),
        F.sum("length").alias("neighbors"),
        F.sum("share").alias("share"),
    )


def count_shares(index: DataFrame, series: Series) -> DataFrame:
    """Neighbours by how much of their evidence is synthetic: (series, bin, neighbors).

    Bin 0 is none at all, bin b the shares above (b - 1) / `SHARE_BINS` up to b / `SHARE_BINS`.
    """
    shares = index.select(
        _series_number(series), F.explode("neighbors.synthetic_share").alias("share")
    )
    bins = F.ceil(F.round(F.col("share") * SHARE_BINS, 9)).cast("int")
    return (
        shares.where("series IS NOT NULL")
        .groupBy("series", bins.alias("bin"))
        .agg(F.count("*").alias("neighbors"))
    )


def _series_number(series: Series) -> Column:
    """The place of a row's (variant, backbone) in the sequence; null for others."""
    places = (
        F.when((F.col("variant") == variant) & (F.col("backbone") == backbone), place)
        for place, (variant, backbone) in enumerate(series)
    )
    return F.coalesce(*places).cast("int").alias("series")


def _every_series(frame: DataFrame, n_series: int) -> DataFrame:
    return frame.withColumn(
        "series", F.explode(F.array(*(F.lit(place) for place in range(n_series))))
    )
