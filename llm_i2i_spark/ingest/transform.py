"""From checked rows to the tables: one row for each user and item, the positions in a user's
history, the folds, the items and their statistics.

Every result is a function of the set of rows alone: orders are total, ties are broken by id, and no
sum depends on the order of rows.
"""

from __future__ import annotations

from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.ingest.values import prompt_text

Holdout = Literal["none", "last_1", "last_2", "time"]
TEXT_CHARS = 512
TEXT_SEPARATOR = " | "
TIME_STEPS = 10_000


def keep_one_per_pair(
    rows: DataFrame, keep: Literal["last", "first"], *, has_pos: bool
) -> DataFrame:
    """One row for each user and item: the latest or earliest by pos, or by ts without pos; between
    equals by ts, event, weight.

    Args:
        rows: user_id, item_id, ts, pos, event, weight.
        keep: which row of a repeated pair stays.
        has_pos: whether the log has a column pos.
    """
    order = [F.col(name) for name in (*(("pos", "ts") if has_pos else ("ts",)), "event", "weight")]
    ordered = [column.desc() if keep == "last" else column.asc() for column in order]
    pair = Window.partitionBy("user_id", "item_id").orderBy(*ordered)
    # Partitioned by user alone, the rows need no second shuffle for the positions in a history.
    ranked = rows.repartition("user_id").withColumn("choice", F.row_number().over(pair))
    return ranked.where(F.col("choice") == 1).drop("choice")


def order_positions(
    rows: DataFrame,
    tie_order: Literal["given", "shuffled"],
    seed: int,
    *,
    has_pos: bool,
    has_ts: bool,
) -> DataFrame:
    """Add `position`, the 0-based index of a row in its user's history.

    `given`: by pos, then ts, then item_id (by ts, then item_id, without pos). `shuffled`: by ts,
    equal times in the order of xxhash64(seed, user_id, item_id), and pos is not used; a log without
    ts has no ties but those of pos. A log with neither is ordered by item_id, or by the hash.

    Args:
        rows: user_id, item_id, ts, pos.
        tie_order: how rows with equal ts are ordered.
        seed: of the hash.
        has_pos: whether the log has a column pos.
        has_ts: whether the log has a column ts.
    """
    shuffle = [F.xxhash64(F.lit(seed), "user_id", "item_id")] if tie_order == "shuffled" else []
    by_ts = [F.col("ts")] if has_ts else []
    by_pos = [F.col("pos")] if has_pos and not (shuffle and has_ts) else []
    user = Window.partitionBy("user_id").orderBy(*by_pos, *by_ts, *shuffle, "item_id")
    return rows.withColumn("position", F.row_number().over(user) - 1)


def assign_folds(rows: DataFrame, holdout: Holdout, share: float) -> DataFrame:
    """Add `fold`: train, valid or test.

    `last_1` tests on each user's last row; `last_2` validates on the one before as well. A user
    with fewer than 2 (3) rows stays in train. `time` cuts the whole log: the latest `share` of rows
    is the test fold, the `share` before it the validation fold; cuts lie on a grid of 10,000 equal
    steps between the first and last ts, and rows of one step stay together.

    Args:
        rows: with user_id, ts, position.
        holdout: which rows are held out.
        share: of the rows that each held-out fold of `time` gets.
    """
    if holdout == "time":
        return _time_folds(rows, share)
    if holdout == "none":
        return rows.withColumn("fold", F.lit("train"))
    count = F.count("*").over(Window.partitionBy("user_id"))
    from_end = count - F.col("position")
    if holdout == "last_1":
        fold = F.when((count >= 2) & (from_end == 1), "test")
    else:
        fold = F.when((count >= 3) & (from_end == 1), "test").when(
            (count >= 3) & (from_end == 2), "valid"
        )
    return rows.withColumn("fold", fold.otherwise("train"))


def _time_folds(rows: DataFrame, share: float) -> DataFrame:
    span = F.broadcast(
        rows.agg(
            F.min(F.unix_micros("ts")).alias("first_us"),
            F.max(F.unix_micros("ts")).alias("last_us"),
        )
    )
    width = F.greatest(F.ceil((F.col("last_us") - F.col("first_us") + 1) / TIME_STEPS), F.lit(1))
    steps = rows.crossJoin(span).withColumn(
        "step", F.floor((F.unix_micros("ts") - F.col("first_us")) / width)
    )
    counts = steps.groupBy("step").agg(F.count("*").alias("rows"))
    later = Window.orderBy(F.col("step").desc()).rowsBetween(
        Window.unboundedPreceding, Window.currentRow
    )
    total = F.sum("rows").over(Window.partitionBy())
    share_from_here = F.sum("rows").over(later) / total
    fold = (
        F.when(share_from_here <= share, "test")
        .when(share_from_here <= 2 * share, "valid")
        .otherwise("train")
    )
    folds = F.broadcast(counts.select("step", fold.alias("fold")))
    return steps.join(folds, "step").drop("step", "first_us", "last_us")


def build_items(catalogue: DataFrame | None, interactions: DataFrame) -> DataFrame:
    """The table `items`: the items of the catalogue and those that only the log has, each with its
    `text`.

    Args:
        catalogue: item_id (unique), title, brand, category, extra; None where there is none.
        interactions: with item_id.
    """
    clicked = interactions.select("item_id").distinct()
    nothing = F.lit(None).cast("string")
    empty = F.create_map().cast("map<string,string>")
    if catalogue is None:
        items = clicked.select(
            "item_id",
            *(nothing.alias(name) for name in ("title", "brand", "category")),
            empty.alias("extra"),
        )
    else:
        items = catalogue.join(clicked, "item_id", "full_outer").withColumn(
            "extra", F.coalesce("extra", empty)
        )
    return items.select("item_id", "title", "brand", "category", item_text().alias("text"), "extra")


def item_text() -> Column:
    """What prompts show of an item: `title | brand | category` of those it has, else its id.

    Whitespace is folded to single blanks and control characters are removed; after 512 characters
    the text is cut.
    """
    parts = [prompt_text(F.col(name), TEXT_CHARS) for name in ("title", "brand", "category")]
    joined = prompt_text(F.concat_ws(TEXT_SEPARATOR, *parts), TEXT_CHARS)
    return F.coalesce(joined, prompt_text(F.col("item_id"), TEXT_CHARS), F.col("item_id"))


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
