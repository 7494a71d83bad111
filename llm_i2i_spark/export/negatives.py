"""Negatives of the discriminator: items drawn by hashes, from the catalogue or by popularity."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

INDEX_BUCKETS = 1024
POPULARITY_EXPONENT = 0.75
"""Of word2vec's negatives (Mikolov et al., NIPS 2013): frequent ones, but less so than they are."""


def random_items(samples: DataFrame, items: DataFrame, seed: int) -> DataFrame:
    """Each sample with an item of the catalogue, all with equal chances, drawn by a hash."""
    indexed = index_items(items)
    count = indexed.agg(F.count("*").alias("places"))
    drawn = _drawn(samples, count, f"negatives-{seed}").join(
        indexed, F.col("place") == F.col("item_idx")
    )
    return drawn.drop("place", "places", "item_idx")


def popular_items(samples: DataFrame, items: DataFrame, seed: int) -> DataFrame:
    """Each sample with an item, drawn by a hash in proportion to clicks^0.75: an item stands at so
    many places, rounded, of those that are drawn from; all of them are fewer than the clicks.
    """
    clicks = F.col("n_interactions").cast("double")
    number = F.round(F.pow(clicks, F.lit(POPULARITY_EXPONENT))).cast("bigint")
    starts = _number_places(items.select("item_id", number.alias("number")).where("number > 0"))
    places = starts.select(
        "item_id",
        F.explode(F.sequence("start", F.col("start") + F.col("number") - 1)).alias("place"),
    )
    count = starts.agg(F.coalesce(F.sum("number"), F.lit(0)).alias("places"))
    drawn = _drawn(samples, count, f"popular-{seed}").join(places, "place")
    return drawn.join(items.select("item_id", "text"), "item_id").drop("place", "places")


def _drawn(samples: DataFrame, count: DataFrame, purpose: str) -> DataFrame:
    """Each sample with a `place` from 0 to `places` - 1."""
    key = F.xxhash64(F.lit(purpose), "user_id", "position", "sample")
    place = F.pmod(key, F.greatest("places", F.lit(1)))
    return samples.crossJoin(F.broadcast(count)).withColumn("place", place)


def as_negatives(drawn: DataFrame) -> DataFrame:
    """Drawn items as labelled candidates, without duplicates and items of the sequence."""
    owned = F.transform("sequence", lambda entry: entry["item_id"])
    duplicates = Window.partitionBy("user_id", "position", "item_id").orderBy("sample")
    return (
        drawn.where(~F.array_contains(owned, F.col("item_id")))
        .withColumn("occurrence", F.row_number().over(duplicates))
        .where(F.col("occurrence") == 1)
        .select(
            "user_id",
            "position",
            "history",
            F.struct("item_id", "text").alias("candidate"),
            F.lit(False).alias("label"),
            "sample",
            F.col("target.weight").alias("weight"),
        )
    )


def index_items(items: DataFrame) -> DataFrame:
    """Give every item an index 0..n-1, the same for any partitioning, without sorting the whole
    catalogue in one task.

    Args:
        items: the catalogue, `item_id, text`.

    Returns:
        `item_idx bigint, item_id, text`.
    """
    return _number_places(items.select("item_id", "text", F.lit(1).alias("number"))).select(
        F.col("start").alias("item_idx"), "item_id", "text"
    )


def _number_places(items: DataFrame) -> DataFrame:
    """Give every item as many places as its `number` says, from its `start` on; together they are
    0..n-1.

    Items are sorted inside hash buckets, and each bucket starts where the ones before it end.
    """
    bucket = F.pmod(F.xxhash64("item_id"), F.lit(INDEX_BUCKETS)).alias("bucket")
    bucketed = items.select("*", bucket)
    before = Window.orderBy("bucket").rowsBetween(Window.unboundedPreceding, -1)
    in_bucket = Window.partitionBy("bucket").orderBy("item_id")
    so_far = in_bucket.rowsBetween(Window.unboundedPreceding, -1)
    starts = (
        bucketed.groupBy("bucket")
        .agg(F.sum("number").alias("number"))
        .select("bucket", F.coalesce(F.sum("number").over(before), F.lit(0)).alias("first"))
    )
    offset = F.coalesce(F.sum("number").over(so_far), F.lit(0))
    return (
        bucketed.join(F.broadcast(starts), "bucket")
        .withColumn("start", (F.col("first") + offset).cast("bigint"))
        .drop("bucket", "first")
    )
