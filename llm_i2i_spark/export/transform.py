"""From users' histories to training examples: targets with long-tail weights, positives and random
negatives.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

CALIBRATION_STEPS = 1_000_000
NUMBERING_BUCKETS = 1024


def user_sequences(
    histories: DataFrame, item_stats: DataFrame, alpha: float, beta: float
) -> DataFrame:
    """Every item of a history with its loss weight: alpha for a long-tail item, beta otherwise (the
    method's section 3.1).

    Args:
        histories: `user_id, history array<struct<item_id, text>>`.
        item_stats: `item_id, is_long_tail`, counted in the training fold.

    Returns:
        `user_id, sequence array<struct<item_id, text, loss_weight>>`, oldest first.
    """
    weight = F.when(F.coalesce("is_long_tail", F.lit(False)), F.lit(float(alpha))).otherwise(
        F.lit(float(beta))
    )
    entry = F.struct("place", "item_id", "text", weight.alias("loss_weight"))
    return (
        histories.select("user_id", F.posexplode("history").alias("place", "entry"))
        .select("user_id", "place", "entry.item_id", "entry.text")
        .join(item_stats.select("item_id", "is_long_tail"), "item_id", "left")
        .groupBy("user_id")
        .agg(F.sort_array(F.collect_list(entry)).alias("ordered"))
        .select("user_id", F.transform("ordered", _target).alias("sequence"))
    )


def mark_calibration(sequences: DataFrame, share: float, seed: int) -> DataFrame:
    """Withhold the last item of a hashed share of users, so that confidence can be calibrated on
    items no model was trained on.

    Returns:
        `user_id, sequence` (what is trained on) and `withheld` (one struct; null for the other
        users).
    """
    step = F.pmod(
        F.xxhash64(F.lit(f"calibration-{seed}"), F.col("user_id")), F.lit(CALIBRATION_STEPS)
    )
    chosen = (step < int(share * CALIBRATION_STEPS)) & (F.size("sequence") >= 3)
    return sequences.select(
        "user_id",
        F.when(chosen, F.slice("sequence", F.lit(1), F.size("sequence") - 1))
        .otherwise(F.col("sequence"))
        .alias("sequence"),
        F.when(chosen, F.element_at("sequence", -1)).alias("withheld"),
    )


def sequence_examples(users: DataFrame, sequence_length: int, history_length: int) -> DataFrame:
    """Layout `sequence`: one row a user, every position a target.

    Args:
        users: `user_id, sequence, withheld`.
        sequence_length: the latest items of a user that make its row.
        history_length: items that a calibration row shows.
    """
    targets = F.slice(
        "sequence",
        F.greatest(F.size("sequence") - sequence_length + 1, F.lit(1)),
        F.lit(sequence_length),
    )
    train = users.where(F.size("sequence") >= 2).select(
        F.concat(F.col("user_id"), F.lit("|train")).alias("example_id"),
        "user_id",
        F.lit("train").alias("split"),
        _history_before(F.lit(0), history_length).alias("history"),
        targets.alias("targets"),
    )
    return train.unionByName(_calibration_examples(users, history_length))


def instruct_examples(users: DataFrame, history_length: int) -> DataFrame:
    """Layout `instruct`: one row a target, with the up to `history_length` items before it."""
    each = users.select(
        "user_id", "sequence", F.posexplode("sequence").alias("place", "target")
    ).where(F.col("place") >= 1)
    train = each.select(
        F.concat_ws("|", F.col("user_id"), F.lit("train"), F.lpad("place", 6, "0")).alias(
            "example_id"
        ),
        "user_id",
        F.lit("train").alias("split"),
        _history_before(F.col("place"), history_length).alias("history"),
        F.array("target").alias("targets"),
    )
    return train.unionByName(_calibration_examples(users, history_length))


def discriminator_examples(
    users: DataFrame,
    items: DataFrame,
    history_length: int,
    positives: int,
    negatives: int,
    seed: int,
) -> DataFrame:
    """Observed pairs as positives, seeded random items of the catalogue as negatives (the method's
    section 3.2).

    Args:
        users: `user_id, sequence, withheld`.
        items: the catalogue, `item_id, text`.
        positives: the latest items of a user that are shown, each with the items before it.
        negatives: drawn a positive; those that are in the user's sequence are left out, so a few
            rows fewer may come.

    Returns:
        Rows of the table `sft_discriminator`; rows of one (user, position) share their history.
    """
    shown = users.select(
        "user_id", "sequence", F.posexplode("sequence").alias("position", "target")
    ).where((F.col("position") >= 1) & (F.col("position") >= F.size("sequence") - positives))
    prompts = shown.withColumn("history", _history_before(F.col("position"), history_length))
    positive = prompts.select(
        "user_id",
        "position",
        "history",
        F.struct("target.item_id", "target.text").alias("candidate"),
        F.lit(True).alias("label"),
        F.lit(0).alias("draw"),
    )
    numbered = number_items(items)
    count = numbered.agg(F.count("*").alias("catalogue_size"))
    drawn = (
        prompts.withColumn("draw", F.explode(F.sequence(F.lit(1), F.lit(negatives))))
        .crossJoin(F.broadcast(count))
        .withColumn(
            "number",
            F.pmod(
                F.xxhash64(F.lit(f"negatives-{seed}"), "user_id", "position", "draw"),
                F.col("catalogue_size"),
            ),
        )
        .join(numbered, "number")
        .where(
            ~F.array_contains(
                F.transform("sequence", lambda entry: entry["item_id"]), F.col("item_id")
            )
        )
    )
    first = Window.partitionBy("user_id", "position", "item_id").orderBy("draw")
    negative = (
        drawn.withColumn("time_drawn", F.row_number().over(first))
        .where(F.col("time_drawn") == 1)
        .select(
            "user_id",
            "position",
            "history",
            F.struct("item_id", "text").alias("candidate"),
            F.lit(False).alias("label"),
            "draw",
        )
    )
    return positive.unionByName(negative).select(
        F.concat_ws("|", "user_id", F.lpad("position", 6, "0"), F.lpad("draw", 3, "0")).alias(
            "example_id"
        ),
        "user_id",
        "position",
        "history",
        "candidate",
        "label",
    )


def number_items(items: DataFrame) -> DataFrame:
    """Give every item a number 0..n-1, the same for any partitioning, without sorting the whole
    catalogue in one task.

    Items are numbered inside hash buckets, and each bucket starts where the ones before it end.

    Returns:
        `number bigint, item_id, text`.
    """
    bucketed = items.select(
        "item_id", "text", F.pmod(F.xxhash64("item_id"), F.lit(NUMBERING_BUCKETS)).alias("bucket")
    )
    before = Window.orderBy("bucket").rowsBetween(Window.unboundedPreceding, -1)
    starts = (
        bucketed.groupBy("bucket")
        .count()
        .select("bucket", F.coalesce(F.sum("count").over(before), F.lit(0)).alias("start"))
    )
    inside = Window.partitionBy("bucket").orderBy("item_id")
    return bucketed.join(F.broadcast(starts), "bucket").select(
        (F.col("start") + F.row_number().over(inside) - 1).cast("bigint").alias("number"),
        "item_id",
        "text",
    )


def _calibration_examples(users: DataFrame, history_length: int) -> DataFrame:
    return users.where(F.col("withheld").isNotNull()).select(
        F.concat(F.col("user_id"), F.lit("|calibration")).alias("example_id"),
        "user_id",
        F.lit("calibration").alias("split"),
        _history_before(F.size("sequence"), history_length).alias("history"),
        F.array("withheld").alias("targets"),
    )


def _history_before(place: Column, length: int) -> Column:
    """The up to `length` entries of `sequence` before a 0-based place, without their loss weights."""
    start = F.greatest(place - length, F.lit(0))
    return F.transform(F.slice("sequence", start + 1, place - start), _shown)


def _shown(entry: Column) -> Column:
    return F.struct(entry["item_id"].alias("item_id"), entry["text"].alias("text"))


def _target(entry: Column) -> Column:
    return F.struct(
        entry["item_id"].alias("item_id"),
        entry["text"].alias("text"),
        entry["loss_weight"].alias("loss_weight"),
    )
