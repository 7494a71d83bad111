"""What the training fold knows of each item: interactions, users, popularity rank, long tail."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def item_statistics(items: DataFrame, interactions: DataFrame, long_tail_share: float) -> DataFrame:
    """The table `item_stats`, counted over the training fold alone.

    `popularity_rank` is 1 for the item with most rows, ties by id. The long tail is the bottom
    `long_tail_share` of the items that the log has (floor of share x items), by number of rows in
    the training fold, ties by id, larger ids lower. Items of the catalogue that nobody clicked are
    long tail as well, but not counted in that share: they could make up all of it.

    Args:
        items: item_id, unique.
        interactions: user_id, item_id, fold.
        long_tail_share: share of the items of the log.
    """
    trained = F.when(F.col("fold") == "train", F.col("user_id"))
    counts = interactions.groupBy("item_id").agg(
        F.count(trained).alias("n_interactions"), F.count_distinct(trained).alias("n_users")
    )
    rows = items.select("item_id").join(
        counts.withColumn("clicked", F.lit(True)), "item_id", "left"
    )
    rows = rows.fillna(0, ["n_interactions", "n_users"]).fillna(False, ["clicked"])
    # Items that nobody clicked come last, so that the ranks of the clicked ones have no gaps.
    rank = F.row_number().over(
        Window.orderBy(F.col("n_interactions").desc(), F.col("clicked").desc(), "item_id")
    )
    clicked = F.sum(F.col("clicked").cast("bigint")).over(Window.partitionBy())
    head = clicked - F.floor(clicked * long_tail_share)
    return rows.select(
        "item_id",
        "n_interactions",
        "n_users",
        rank.alias("popularity_rank"),
        (rank > head).alias("is_long_tail"),
    )
