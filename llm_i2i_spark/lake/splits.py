"""One row a (user, item) pair, the order of a user's rows, and the folds that are held out.

Every result is a function of the set of rows alone: orders are total, ties end at the id, and no
sum depends on order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType, StringType

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.base.moments import unix_micros
from llm_i2i_spark.base.sections.split import cut_problem
from llm_i2i_spark.lake.frames import Frame, require_columns, spark_frame, text_ids

Holdout = Literal["none", "last_1", "last_2", "time"]
HASH_STEPS = 1_000_000
TIME_STEPS = 10_000
"""`holdout=time` cuts the log at one of so many equal steps between its first and last moment."""


def split_interactions(
    interactions: Frame,
    holdout: Holdout = "last_1",
    *,
    holdout_share: float = 0.1,
    test_from: str | datetime | None = None,
    valid_from: str | datetime | None = None,
    tie_order: Literal["given", "shuffled"] = "given",
    seed: int = 42,
) -> DataFrame:
    """A click log split into folds as stage `ingest` splits it: train an index on the rows with
    `fold = 'train'`, evaluate it on the whole.

    A pair that occurs more than once keeps its last row.

    Args:
        interactions: user_id, item_id, and ts or position (a user's rows in order, numbers of any
            kind) or both, position for rows of equal ts; more columns stay.
        holdout: which rows are held out, see `assign_folds`.
        holdout_share: of the rows, for `holdout="time"`.
        test_from: in place of the share, the moment from which on rows are the test fold (ISO 8601,
            UTC without a zone).
        valid_from: the moment from which on rows are the validation fold; without it there is none.
        tie_order: order of rows with equal ts, see `order_positions`.
        seed: of the order of ties, where it is shuffled.

    Returns:
        The rows with `position` (from 0 in each user's history) and `fold`.

    Raises:
        InputDataError: a column is missing or of a type that has no order in time.
        ConfigError: a moment is none, or they do not fit together.
    """
    _check_cuts(holdout, test_from, valid_from)
    rows = spark_frame(interactions)
    require_columns(rows, ("user_id", "item_id"), "The interactions")
    rows = text_ids(rows, ("user_id", "item_id"))
    has_pos, has_ts = "position" in rows.columns, "ts" in rows.columns
    _check_order(rows, holdout, has_pos=has_pos, has_ts=has_ts)
    given = rows.columns
    absent = {"ts": "timestamp", "event": "string", "weight": "double"}
    rows = rows.withColumns(
        {name: F.lit(None).cast(kind) for name, kind in absent.items() if name not in given}
        | {"pos": F.col("position") if has_pos else F.lit(None).cast("bigint")}
    )
    ordered = order_positions(keep_one_per_pair(rows, "last"), tie_order, seed)
    folds = assign_folds(ordered, holdout, holdout_share, test_from, valid_from)
    return folds.select(*(name for name in given if name != "position"), "position", "fold")


def _check_cuts(
    holdout: str, test_from: str | datetime | None, valid_from: str | datetime | None
) -> None:
    try:
        problem = cut_problem(holdout, test_from, valid_from)
    except ValueError as error:
        raise ConfigError(
            f"test_from and valid_from must be moments of ISO 8601, such as 2014-05-01 ({error})."
        ) from None
    if problem:
        raise ConfigError(f"The log cannot be split: {problem}.")


def _check_order(rows: DataFrame, holdout: Holdout, *, has_pos: bool, has_ts: bool) -> None:
    if not has_pos and not has_ts:
        raise InputDataError(
            "The interactions need ts or position, to know which rows of a user came last."
        )
    if holdout == "time" and not has_ts:
        raise InputDataError("holdout=time needs the column ts; give it, or hold out last_1.")
    if not has_ts:
        return
    kind = rows.schema["ts"].dataType
    if isinstance(kind, StringType) or (holdout == "time" and isinstance(kind, NumericType)):
        raise InputDataError(
            f"Column ts is {kind.simpleString()}, which has no place in time; make it a timestamp,"
            " such as with F.to_timestamp or F.timestamp_seconds."
        )


def keep_one_per_pair(
    rows: DataFrame, keep: Literal["last", "first"], strongest: Sequence[str] = ()
) -> DataFrame:
    """One row for each user and item: the latest or earliest by ts, then pos; between equals by
    event, weight.

    Args:
        rows: user_id, item_id, ts, pos, event, weight; ts or pos null in all rows where the log has
            none.
        keep: which row of a repeated pair stays.
        strongest: columns whose highest value among the rows of a pair counts, whichever stays.
    """
    order = [F.col(name) for name in ("ts", "pos", "event", "weight")]
    ordered = [column.desc() if keep == "last" else column.asc() for column in order]
    pair = Window.partitionBy("user_id", "item_id")
    # Partitioned by user alone, the rows need no second shuffle for the positions in a history.
    ranked = rows.repartition("user_id").withColumns(
        {name: F.max(name).over(pair) for name in strongest}
        | {"choice": F.row_number().over(pair.orderBy(*ordered))}
    )
    return ranked.where(F.col("choice") == 1).drop("choice")


def order_positions(
    rows: DataFrame, tie_order: Literal["given", "shuffled"], seed: int
) -> DataFrame:
    """Add `position`, the 0-based index of a row in its user's history.

    `given`: by ts, equal times by pos, then item_id. `shuffled`: by ts, equal times in the order of
    xxhash64(seed, user_id, item_id), and pos is not used; a log without ts has no ties but those of
    pos. A log with neither is ordered by item_id, or by the hash.

    Args:
        rows: user_id, item_id, ts, pos; ts or pos null in all rows where the log has none.
        tie_order: how rows with equal ts are ordered.
        seed: of the hash.
    """
    if tie_order == "shuffled":
        by_pos = F.when(F.col("ts").isNull(), F.col("pos"))
        ties = [by_pos, F.xxhash64(F.lit(seed), "user_id", "item_id")]
    else:
        ties = [F.col("pos")]
    user = Window.partitionBy("user_id").orderBy("ts", *ties, "item_id")
    return rows.withColumn("position", F.row_number().over(user) - 1)


def assign_folds(
    rows: DataFrame,
    holdout: Holdout,
    share: float,
    test_from: str | datetime | None = None,
    valid_from: str | datetime | None = None,
) -> DataFrame:
    """Add `fold`: train, valid or test.

    `last_1` tests on each user's last row; `last_2` validates on the one before as well. A user
    with fewer than 2 (3) rows stays in train. `time` cuts the whole log: the latest `share` of rows
    is the test fold, the `share` before it the validation fold; cuts lie on a grid of 10,000 equal
    steps between the first and last ts, and rows of one step stay together. With `test_from` the
    cuts are the moments given, and a row at a cut belongs to the later fold.

    Args:
        rows: with user_id, ts, position.
        holdout: which rows are held out.
        share: of the rows that each held-out fold of `time` gets.
        test_from: first moment of the test fold; None to cut by the share.
        valid_from: first moment of the validation fold; None for no such fold.
    """
    if holdout == "time" and test_from is not None:
        return _folds_at(rows, test_from, valid_from)
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


def _folds_at(
    rows: DataFrame, test_from: str | datetime, valid_from: str | datetime | None
) -> DataFrame:
    micros = F.unix_micros("ts")
    fold = F.when(micros >= unix_micros(test_from), "test")
    if valid_from is not None:
        fold = fold.when(micros >= unix_micros(valid_from), "valid")
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


def mark_held_back_items(rows: DataFrame, share: float, seed: int) -> DataFrame:
    """Add `held_back`: whether the row's item is among so large a share of all, by a hash of its
    id. To what a trained backbone is taught on they look like items without a click, so that it
    learns what becomes of those.

    Args:
        rows: with item_id.
        share: of the items.
        seed: of the hash.
    """
    step = F.pmod(F.xxhash64(F.lit(f"held-back-{seed}"), "item_id"), F.lit(HASH_STEPS))
    return rows.withColumn("held_back", step < int(share * HASH_STEPS))


def rows_seen(interactions: DataFrame, folds: Sequence[str], hold_back: int) -> DataFrame:
    """The interactions that models may see.

    Args:
        interactions: with user_id, position, fold, held_back.
        folds: those of the protocol.
        hold_back: latest rows of each user in these folds that are left out; a user with no more
            than so many keeps all. Where it is above 0, no row of a held-back item is seen either.
    """
    seen = interactions.where(F.col("fold").isin(*folds))
    if not hold_back:
        return seen
    user = Window.partitionBy("user_id")
    counted = seen.withColumns(
        {
            "_latest": F.row_number().over(user.orderBy(F.desc("position"))),
            "_rows": F.count("*").over(user),
        }
    )
    held = (F.col("_latest") <= hold_back) & (F.col("_rows") > hold_back)
    of_item = F.coalesce("held_back", F.lit(False))
    return counted.where(~held & ~of_item).drop("_latest", "_rows")
