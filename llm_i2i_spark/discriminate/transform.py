"""What the discriminator is asked: for each history, which items it should judge and how much of
the history each may see.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.lake.user_histories import user_bucket


def candidate_questions(histories: DataFrame, candidates: DataFrame, items: DataFrame) -> DataFrame:
    """One row a user: the whole history, and every candidate, each of which sees all of it.

    Args:
        histories: `user_id, history array<struct<item_id, text>>`.
        candidates: `user_id, item_id, log_prob`.
        items: `item_id, text`.

    Returns:
        `user_id, part int, history, questions array<struct<prefix_length int, item_id, text,
        log_prob>>`.
    """
    entry = F.struct("item_id", F.coalesce("text", "item_id").alias("text"), "log_prob")
    gathered = (
        candidates.select("user_id", "item_id", "log_prob")
        .join(items.select("item_id", "text"), "item_id", "left")
        .groupBy("user_id")
        .agg(F.sort_array(F.collect_list(entry)).alias("asked"))
    )
    return histories.join(gathered, "user_id").select(
        "user_id",
        F.lit(-1).alias("part"),
        "history",
        F.transform(
            "asked", lambda e: _question(F.size("history"), e["item_id"], e["text"], e["log_prob"])
        ).alias("questions"),
    )


def real_questions(histories: DataFrame, history_length: int) -> DataFrame:
    """Rows that ask about the user's real items, each of which sees only the items before it.

    A long history is cut into windows of `history_length` items that start half a window apart, so
    every item sees between half a window and a whole one, and the cost stays linear in the length
    of the history.

    Returns:
        The columns of `candidate_questions`, `log_prob` null.
    """
    step = max(history_length // 2, 1)
    users = histories.select("user_id", F.col("history").alias("whole"))
    last_window = F.greatest(F.ceil((F.size("whole") - 1 - history_length) / step), F.lit(0)).cast(
        "int"
    )
    parts = users.select(
        "user_id", "whole", F.explode(F.sequence(F.lit(0), last_window)).alias("part")
    )
    start = F.col("part") * step
    # The first window asks about all its items; each later one about the `step` items behind the
    # window before it.
    first_asked = F.when(F.col("part") == 0, F.lit(0)).otherwise(start + history_length - step + 1)
    last_asked = F.least(start + history_length, F.size("whole") - 1)
    return parts.select(
        "user_id",
        "part",
        F.slice("whole", start + 1, F.lit(history_length)).alias("history"),
        F.transform(
            F.sequence(first_asked, last_asked), lambda place: _real_question(place, start)
        ).alias("questions"),
    )


def in_buckets(questions: DataFrame, buckets: int, seed: int) -> DataFrame:
    """The rows in fixed partitions and a fixed order, so that batches are the same on any cluster."""
    return (
        questions.withColumn("bucket", user_bucket(buckets, seed))
        .repartition(buckets, "bucket")
        .sortWithinPartitions("bucket", "user_id", "part")
        .select("user_id", "history", "questions")
    )


def _real_question(place: Column, start: Column) -> Column:
    entry = F.element_at("whole", place.cast("int") + 1)
    return _question(place - start, entry["item_id"], entry["text"], F.lit(None).cast("double"))


def _question(prefix_length: Column, item_id: Column, text: Column, log_prob: Column) -> Column:
    return F.struct(
        prefix_length.cast("int").alias("prefix_length"),
        item_id.alias("item_id"),
        text.alias("text"),
        log_prob.alias("log_prob"),
    )
