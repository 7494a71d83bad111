"""The items that an evaluation ranks, each with the slices it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.evaluate.queries import item_key
from llm_i2i_spark.evaluate.slices import BUCKET_EDGES


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
        seen: interactions with the item in `model_folds`; bucket: the last of `BUCKET_EDGES` it
            reaches, by position;
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
    return (
        marked.fillna({"seen": 0, "long_tail": True, "long_tail_train": True})
        .withColumn("bucket", edges_reached(F.col("seen")))
        .select(
            "item_id",
            item_key("item_id").alias("key"),
            "seen",
            "bucket",
            "long_tail",
            "long_tail_train",
        )
    )


def edges_reached(interactions: Column) -> Column:
    """The last of `slices.BUCKET_EDGES` that a number of interactions reaches, by position."""
    return sum(  # type: ignore[return-value]
        (interactions >= edge).cast("int") for edge in BUCKET_EDGES[1:]
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
