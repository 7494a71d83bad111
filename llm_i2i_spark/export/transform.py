"""Training examples from users' histories: weighted targets, and candidates that are labelled."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.export.negatives import as_negatives, popular_items, random_items

CALIBRATION_BUCKETS = 1_000_000


def user_sequences(
    histories: DataFrame, item_stats: DataFrame, alpha: float, beta: float
) -> DataFrame:
    """Every item of a history with its loss weight: alpha for a long-tail item, beta otherwise
    (LLM-I2I, section 3.1), times the weight of the interaction.

    Args:
        histories: `user_id, history array<struct<item_id, text, weight>>`; weight in (0, 1].
        item_stats: `item_id, is_long_tail`, of the training fold.
        alpha: loss weight of a long-tail item.
        beta: loss weight of any other item.

    Returns:
        `user_id, sequence array<struct<item_id, text, loss_weight, weight>>`, oldest first.
    """
    of_tail = F.when(F.coalesce("is_long_tail", F.lit(False)), F.lit(float(alpha))).otherwise(
        F.lit(float(beta))
    )
    loss_weight = (of_tail * F.col("weight")).alias("loss_weight")
    entry = F.struct("position", "item_id", "text", loss_weight, "weight")
    return (
        histories.select("user_id", F.posexplode("history").alias("position", "entry"))
        .select("user_id", "position", "entry.item_id", "entry.text", "entry.weight")
        .join(item_stats.select("item_id", "is_long_tail"), "item_id", "left")
        .groupBy("user_id")
        .agg(F.sort_array(F.collect_list(entry)).alias("ordered"))
        .select(
            "user_id",
            F.transform("ordered", lambda entry: entry.dropFields("position")).alias("sequence"),
        )
    )


def mark_calibration(sequences: DataFrame, share: float, seed: int) -> DataFrame:
    """Withhold the last item of a sample of users, so that confidence can be calibrated on items
    that no model was trained on.

    Args:
        sequences: of `user_sequences`.
        share: of the users, sampled by a hash.
        seed: of the hash.

    Returns:
        `user_id, sequence` (for training) and `withheld` (one struct; null for the other users).
    """
    bucket = F.pmod(
        F.xxhash64(F.lit(f"calibration-{seed}"), F.col("user_id")), F.lit(CALIBRATION_BUCKETS)
    )
    sampled = (bucket < int(share * CALIBRATION_BUCKETS)) & (F.size("sequence") >= 3)
    return sequences.select(
        "user_id",
        F.when(sampled, F.slice("sequence", F.lit(1), F.size("sequence") - 1))
        .otherwise(F.col("sequence"))
        .alias("sequence"),
        F.when(sampled, F.element_at("sequence", -1)).alias("withheld"),
    )


def sequence_examples(users: DataFrame, sequence_length: int, sequences: int) -> DataFrame:
    """Layout `sequence`: every item a target, a row for the latest items of a user, one for those
    before them, and so on.

    Args:
        users: `user_id, sequence, withheld`.
        sequence_length: number of items in a row, and in the history of a calibration row.
        sequences: rows of a user at the most.
    """
    train = _latest_first(users, sequence_length, sequence_length, sequences)
    return train.unionByName(_calibration_examples(users, sequence_length))


def dialogue_examples(
    users: DataFrame, sequence_length: int, history_length: int, sequences: int
) -> DataFrame:
    """Layout `dialogue`: rows as in layout `sequence`, with the item before them, which is shown
    only. Every other item is a target of the prompt that layout `instruct` has for it, where
    `history_length` items of the row lie before it.

    Args:
        users: `user_id, sequence, withheld`.
        sequence_length: number of targets in a row.
        history_length: number of items in the history of a calibration row.
        sequences: rows of a user at the most.
    """
    train = _latest_first(users, sequence_length + 1, sequence_length, sequences)
    return train.unionByName(_calibration_examples(users, history_length))


def instruct_examples(users: DataFrame, history_length: int) -> DataFrame:
    """Layout `instruct`: one row a target, with up to `history_length` items before it."""
    targets = users.select(
        "user_id", "sequence", F.posexplode("sequence").alias("position", "target")
    ).where(F.col("position") >= 1)
    train = targets.select(
        F.concat_ws("|", F.col("user_id"), F.lit("train"), F.lpad("position", 6, "0")).alias(
            "example_id"
        ),
        "user_id",
        F.lit("train").alias("split"),
        _history_before(F.col("position"), history_length).alias("history"),
        F.array(_target(F.col("target"))).alias("targets"),
    )
    return train.unionByName(_calibration_examples(users, history_length))


def discriminator_examples(
    users: DataFrame,
    items: DataFrame,
    history_length: int,
    positives: int,
    negatives: int,
    popular: int,
    seed: int,
) -> DataFrame:
    """Observed interactions as positives, random items of the catalogue as negatives (LLM-I2I,
    section 3.2), the last of them popular ones. An item with a text that nobody clicked is no
    negative: its text says more of it than the absence of clicks does.

    Args:
        users: `user_id, sequence, withheld`.
        items: the catalogue, `item_id, text, n_interactions`.
        history_length: number of items in a history.
        positives: number of latest items of a user that become positives.
        negatives: number sampled for each positive; items of the user's sequence and duplicates
            are left out, so that there may be fewer.
        popular: how many of these are drawn in proportion to clicks^0.75; the others are drawn from
            the catalogue with equal chances.
        seed: of the sample.

    Returns:
        Rows of the table `sft_discriminator`; rows of one (user, position) share their history and
        the weight of the observed interaction.
    """
    targets = users.select(
        "user_id", "sequence", F.posexplode("sequence").alias("position", "target")
    ).where((F.col("position") >= 1) & (F.col("position") >= F.size("sequence") - positives))
    prompts = targets.withColumn("history", _history_before(F.col("position"), history_length))
    observed = prompts.select(
        "user_id",
        "position",
        "history",
        F.struct("target.item_id", "target.text").alias("candidate"),
        F.lit(True).alias("label"),
        F.lit(0).alias("sample"),
        F.col("target.weight").alias("weight"),
    )
    samples = prompts.withColumn("sample", F.explode(F.sequence(F.lit(1), F.lit(negatives))))
    of_catalogue = F.col("sample") <= negatives - popular
    may_be_drawn = items.where("n_interactions > 0 OR text = item_id")
    drawn = random_items(samples.where(of_catalogue), may_be_drawn, seed)
    if popular:
        drawn = drawn.unionByName(popular_items(samples.where(~of_catalogue), items, seed))
    return observed.unionByName(as_negatives(drawn)).select(
        F.concat_ws("|", "user_id", F.lpad("position", 6, "0"), F.lpad("sample", 3, "0")).alias(
            "example_id"
        ),
        "user_id",
        "position",
        "history",
        "candidate",
        "label",
        "weight",
    )


def _latest_first(users: DataFrame, length: int, step: int, most: int) -> DataFrame:
    """Rows of the items of each user: the latest `length` of them, then as many that end `step`
    items earlier, and so on; rows of one item are left out.
    """
    size, piece = F.size("sequence"), F.col("piece")
    last = F.least(F.lit(most - 1), F.floor((size - 2) / step).cast("int"))
    cut = users.where(size >= 2).withColumn("piece", F.explode(F.sequence(F.lit(0), last)))
    end = size - piece * step
    start = F.greatest(end - length, F.lit(0))
    train = F.concat(F.col("user_id"), F.lit("|train"))
    return cut.select(
        F.when(piece == 0, train).otherwise(F.concat(train, F.lit("|"), piece)).alias("example_id"),
        "user_id",
        F.lit("train").alias("split"),
        _history_before(F.lit(0), length).alias("history"),
        F.transform(F.slice("sequence", start + 1, end - start), _target).alias("targets"),
    )


def _calibration_examples(users: DataFrame, history_length: int) -> DataFrame:
    return users.where(F.col("withheld").isNotNull()).select(
        F.concat(F.col("user_id"), F.lit("|calibration")).alias("example_id"),
        "user_id",
        F.lit("calibration").alias("split"),
        _history_before(F.size("sequence"), history_length).alias("history"),
        F.array(_target(F.col("withheld"))).alias("targets"),
    )


def _history_before(position: Column, length: int) -> Column:
    """Up to `length` entries of `sequence` before a 0-based position, without loss weights."""
    start = F.greatest(position - length, F.lit(0))
    return F.transform(F.slice("sequence", start + 1, position - start), _item)


def _item(entry: Column) -> Column:
    return F.struct(entry["item_id"].alias("item_id"), entry["text"].alias("text"))


def _target(entry: Column) -> Column:
    return F.struct(
        entry["item_id"].alias("item_id"),
        entry["text"].alias("text"),
        entry["loss_weight"].alias("loss_weight"),
    )
