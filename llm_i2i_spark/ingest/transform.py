"""From checked rows to the tables: one row a pair, the order in a user, the folds, the items and
their statistics.

Every result is a function of the set of rows alone: orders are total, ties end at the id, and no
sum depends on order.
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
    rows: DataFrame, repeats: Literal["last", "first"], *, has_pos: bool
) -> DataFrame:
    """One row for each user and item: the latest or earliest by pos (ts without it); between equals
    by ts, event, weight.

    Args:
        rows: user_id, item_id, ts, pos, event, weight.
        repeats: which row of a repeated pair stays.
        has_pos: whether the log gives positions.
    """
    order = [F.col(name) for name in (*(("pos", "ts") if has_pos else ("ts",)), "event", "weight")]
    ordered = [column.desc() if repeats == "last" else column.asc() for column in order]
    pair = Window.partitionBy("user_id", "item_id").orderBy(*ordered)
    # Grouped by user alone, the rows need no second shuffle for the order in the user.
    ranked = rows.repartition("user_id").withColumn("choice", F.row_number().over(pair))
    return ranked.where(F.col("choice") == 1).drop("choice")


def order_positions(
    rows: DataFrame, ties: Literal["given", "shuffled"], seed: int, *, has_pos: bool, has_ts: bool
) -> DataFrame:
    """Add `position`, the 0-based place of a row in its user's history.

    `given`: by pos, then ts, then item_id (by ts, then item_id, without pos). `shuffled`: by ts,
    equal times in the order of xxhash64(seed, user_id, item_id), which leaves pos aside; a log
    without ts has no ties but those of pos. A log with neither is ordered by item_id, or by the
    hash.
    """
    shuffle = [F.xxhash64(F.lit(seed), "user_id", "item_id")] if ties == "shuffled" else []
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
        share: of rows, for `time`.
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
    whole = Window.partitionBy()
    reach = F.sum("rows").over(later) / F.sum("rows").over(whole)
    fold = F.when(reach <= share, "test").when(reach <= 2 * share, "valid").otherwise("train")
    folds = F.broadcast(counts.select("step", fold.alias("fold")))
    return steps.join(folds, "step").drop("step", "first_us", "last_us")


def build_items(catalogue: DataFrame | None, interactions: DataFrame) -> DataFrame:
    """The `items` table: the catalogue's items and those that only the log knows, each with its
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

    Each part has its whitespace folded and control characters removed; the whole is cut after 512
    characters.
    """
    parts = [prompt_text(F.col(name), TEXT_CHARS) for name in ("title", "brand", "category")]
    joined = prompt_text(F.concat_ws(TEXT_SEPARATOR, *parts), TEXT_CHARS)
    return F.coalesce(joined, prompt_text(F.col("item_id"), TEXT_CHARS), F.col("item_id"))


def item_statistics(items: DataFrame, interactions: DataFrame, long_tail_share: float) -> DataFrame:
    """The `item_stats` table, counted over the training fold alone.

    `popularity_rank` is 1 for the item with most rows, ties by id. The long tail is the bottom
    `long_tail_share` of the items that the log knows (floor of share x items), by count in the
    training fold, ties by id, larger ids lower. Items of the catalogue that nobody ever clicked are
    in it too, beside that share: counted in, they could fill it to the last place.

    Args:
        items: item_id, unique.
        interactions: user_id, item_id, fold.
    """
    trained = F.when(F.col("fold") == "train", F.col("user_id"))
    counts = interactions.groupBy("item_id").agg(
        F.count(trained).alias("n_interactions"), F.count_distinct(trained).alias("n_users")
    )
    rows = items.select("item_id").join(
        counts.withColumn("clicked", F.lit(True)), "item_id", "left"
    )
    rows = rows.fillna(0, ["n_interactions", "n_users"]).fillna(False, ["clicked"])
    # Never-clicked items come last, so that the ranks of the clicked ones are their places among
    # themselves.
    rank = F.row_number().over(
        Window.orderBy(F.col("n_interactions").desc(), F.col("clicked").desc(), "item_id")
    )
    known = F.sum(F.col("clicked").cast("bigint")).over(Window.partitionBy())
    head = known - F.floor(known * long_tail_share)
    return rows.select(
        "item_id",
        "n_interactions",
        "n_users",
        rank.alias("popularity_rank"),
        (rank > head).alias("is_long_tail"),
    )
