"""Users' histories as arrays: what export shows the models in training and what generate and
discriminate show them later.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def build_histories(
    interactions: DataFrame,
    items: DataFrame,
    folds: Sequence[str],
    latest: int,
    more: Sequence[str] = (),
) -> DataFrame:
    """One row a user with the latest items in order, each with the text that prompts show.

    Only the latest `latest` rows of a user are gathered, so that a user of a million rows stays
    small.

    Args:
        interactions: `user_id, item_id, position, fold`.
        items: `item_id, text`; an item without a row is shown by its id.
        folds: the folds that models may see.
        latest: how many items of a user at the most.
        more: further columns of the interactions that each entry has.

    Returns:
        `user_id string, history array<struct<item_id: string, text: string, ...>>`, oldest first,
        never empty.
    """
    recent = Window.partitionBy("user_id").orderBy(F.desc("position"))
    return (
        interactions.where(F.col("fold").isin(*folds))
        .select(
            "user_id", "item_id", "position", *more, F.row_number().over(recent).alias("steps_back")
        )
        .where(F.col("steps_back") <= latest)
        .join(items.select("item_id", "text"), "item_id", "left")
        .groupBy("user_id")
        .agg(
            F.sort_array(
                F.collect_list(F.struct("position", "item_id", _text().alias("text"), *more))
            ).alias("ordered")
        )
        .select(
            "user_id",
            F.transform("ordered", lambda entry: entry.dropFields("position")).alias("history"),
        )
    )


def sample_users(interactions: DataFrame, most: int, seed: int) -> DataFrame:
    """The interactions of some users, those with the lowest hashes.

    Args:
        interactions: `user_id` and any other columns.
        most: users at most.
        seed: of the hashes.
    """
    users = interactions.select("user_id").distinct()
    drawn = F.xxhash64(F.lit(f"export-{seed}"), F.col("user_id"))
    chosen = users.orderBy(drawn, "user_id").limit(most)
    return interactions.join(chosen, "user_id", "left_semi")


def owned_items(interactions: DataFrame, folds: Sequence[str]) -> DataFrame:
    """One row a user with every item of the given folds: `user_id string, owned array<string>`
    (sorted).
    """
    rows = interactions.where(F.col("fold").isin(*folds))
    return rows.groupBy("user_id").agg(F.sort_array(F.collect_set("item_id")).alias("owned"))


def user_bucket(buckets: int, seed: int) -> Column:
    """A user's bucket, 0 to buckets - 1: the same for every cluster, so that LLM batches do not
    depend on its size.
    """
    return F.pmod(F.xxhash64(F.lit(seed), F.col("user_id")), F.lit(buckets)).cast("int")


def _text() -> Column:
    return F.coalesce(F.col("text"), F.col("item_id"))
