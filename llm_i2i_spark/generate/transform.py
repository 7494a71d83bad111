"""Inputs of the generator: users with their history and the items they have."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.lake.batch_inference import in_user_buckets


def generator_inputs(histories: DataFrame, owned: DataFrame, buckets: int, seed: int) -> DataFrame:
    """Users with history and owned items, in fixed buckets and a fixed order.

    Args:
        histories: `user_id, history`.
        owned: `user_id, owned array<string>`.
        buckets: number of partitions.
        seed: of the hash that assigns users to buckets.

    Returns:
        `user_id, history, owned`.
    """
    users = histories.join(owned, "user_id").select("user_id", "history", "owned")
    return in_user_buckets(users, buckets, seed, order=("user_id",))


def item_inputs(items: DataFrame, buckets: int, seed: int) -> DataFrame:
    """Every item as a user whose only interaction it is, who therefore is not offered it.

    Args:
        items: `item_id, text`.
        buckets: number of partitions.
        seed: of the hash that assigns items to buckets.

    Returns:
        As `generator_inputs`; `user_id` is the item.
    """
    alone = items.select(
        F.col("item_id").alias("user_id"),
        F.array(F.struct("item_id", "text")).alias("history"),
        F.array("item_id").alias("owned"),
    )
    return in_user_buckets(alone, buckets, seed, order=("user_id",))
