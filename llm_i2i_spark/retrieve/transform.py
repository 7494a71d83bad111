"""In-context examples: steps of users, each the items before it and the item that was taken."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def draw_examples(histories: DataFrame, number: int, seed: int) -> DataFrame:
    """Steps drawn at random, those with the lowest hashes of user and item (bottom-k sampling): the
    same whatever the order of the rows. A user's first item is no step.

    Args:
        histories: `user_id, history array<struct<item_id, text>>`, oldest first.
        number: of examples at most.
        seed: of the hash.

    Returns:
        `user_id, example_id, history, target struct<item_id, text>`; history is what lies before
        the target.
    """
    steps = (
        histories.select("user_id", F.posexplode("history").alias("step", "target"))
        .where("step > 0")
        .select("user_id", "step", F.xxhash64(F.lit(seed), "user_id", "target.item_id").alias("h"))
    )
    drawn = steps.orderBy("h", "user_id", "step").limit(number)
    return histories.join(drawn, "user_id").select(
        "user_id",
        F.concat_ws("|", "user_id", "step").alias("example_id"),
        F.slice("history", F.lit(1), F.col("step")).alias("history"),
        F.element_at("history", F.col("step") + 1).alias("target"),
    )
