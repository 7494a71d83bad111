"""Every click of a user with its neighbour list: the rows that a ranking of users is made from."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def lists_of_clicks(queries: DataFrame, lists: DataFrame) -> DataFrame:
    """One row a user and click with the list of the clicked item; a user's rows stand in one
    partition, next to each other, latest click first.

    Each click fetches its list whole; neighbours are never exploded into rows.

    Args:
        queries: `user_id string, owned array<K>, clicks array<string>` (latest first) and further
            columns, which are kept; K is the type of an item key.
        lists: `item_id string, neighbors array<K>, scores array<double>`.

    Returns:
        `step int` (0 for the latest click), `owned` (in the row of step 0, elsewhere empty),
        `neighbors` and `scores` (empty where the item has no list), and the other columns of
        `queries`. A user without a click has one row, of step 0.
    """
    empty_owned, empty_keys, empty_scores = (
        F.array().cast(frame.schema[name].dataType)
        for frame, name in ((queries, "owned"), (lists, "neighbors"), (lists, "scores"))
    )
    kept = [name for name in queries.columns if name not in ("clicks", "owned")]
    clicks = queries.select(
        *kept, "owned", F.posexplode_outer("clicks").alias("position", "item_id")
    ).withColumn("step", F.coalesce("position", F.lit(0)))
    rows = clicks.join(lists, "item_id", "left").select(
        *kept,
        "step",
        F.when(F.col("step") == 0, F.col("owned")).otherwise(empty_owned).alias("owned"),
        F.coalesce("neighbors", empty_keys).alias("neighbors"),
        F.coalesce("scores", empty_scores).alias("scores"),
    )
    return rows.repartition("user_id").sortWithinPartitions("user_id", "step")
