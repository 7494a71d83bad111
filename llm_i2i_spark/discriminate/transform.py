"""Inputs of the discriminator: for each history the items to score, and how much of the history
each may see.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def candidate_requests(histories: DataFrame, candidates: DataFrame, items: DataFrame) -> DataFrame:
    """One row a user: the history, and every candidate, each of which sees all of it.

    Args:
        histories: `user_id, history array<struct<item_id, text>>`.
        candidates: `user_id, item_id, log_prob`.
        items: `item_id, text`.

    Returns:
        `user_id, part int, history, requests array<struct<prefix_length int, item_id, text,
        log_prob>>`.
    """
    entry = F.struct("item_id", F.coalesce("text", "item_id").alias("text"), "log_prob")
    of_users = (
        candidates.select("user_id", "item_id", "log_prob")
        .join(items.select("item_id", "text"), "item_id", "left")
        .groupBy("user_id")
        .agg(F.sort_array(F.collect_list(entry)).alias("candidates"))
    )
    return histories.join(of_users, "user_id").select(
        "user_id",
        F.lit(-1).alias("part"),
        "history",
        F.transform(
            "candidates",
            lambda e: _request(F.size("history"), e["item_id"], e["text"], e["log_prob"]),
        ).alias("requests"),
    )


def real_requests(histories: DataFrame, history_length: int) -> DataFrame:
    """Rows that score the user's real items, each of which sees only the items before it.

    A long history is cut into windows of `history_length` items that start half a window apart, so
    that every item sees between half a window and a whole one, and the cost stays linear in the
    length of the history.

    Args:
        histories: `user_id, history array<struct<item_id, text>>`.
        history_length: items of a window.

    Returns:
        The columns of `candidate_requests`; `part` is the number of the window, `log_prob` null.
    """
    step = max(history_length // 2, 1)
    users = histories.select("user_id", F.col("history").alias("all_items"))
    last_window = F.greatest(
        F.ceil((F.size("all_items") - 1 - history_length) / step), F.lit(0)
    ).cast("int")
    windows = users.select(
        "user_id", "all_items", F.explode(F.sequence(F.lit(0), last_window)).alias("part")
    )
    start = F.col("part") * step
    # The first window scores all its items; each later one the `step` items that follow those of
    # the window before it.
    first = F.when(F.col("part") == 0, F.lit(0)).otherwise(start + history_length - step + 1)
    last = F.least(start + history_length, F.size("all_items") - 1)
    return windows.select(
        "user_id",
        "part",
        F.slice("all_items", start + 1, F.lit(history_length)).alias("history"),
        F.transform(F.sequence(first, last), lambda position: _real_request(position, start)).alias(
            "requests"
        ),
    )


def _real_request(position: Column, start: Column) -> Column:
    entry = F.element_at("all_items", position.cast("int") + 1)
    return _request(position - start, entry["item_id"], entry["text"], F.lit(None).cast("double"))


def _request(prefix_length: Column, item_id: Column, text: Column, log_prob: Column) -> Column:
    return F.struct(
        prefix_length.cast("int").alias("prefix_length"),
        item_id.alias("item_id"),
        text.alias("text"),
        log_prob.alias("log_prob"),
    )
