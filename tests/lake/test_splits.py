"""Repeated pairs, the order of a user's rows, and the folds, on logs small enough to read."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.lake.splits import (
    assign_folds,
    keep_one_per_pair,
    mark_held_back_items,
    order_positions,
    rows_seen,
    split_interactions,
)

pytestmark = pytest.mark.spark

LOG = "user_id string, item_id string, ts timestamp, pos bigint, event string, weight double"


def log(spark, rows: list[tuple[str, str, int | None, int | None]]) -> DataFrame:
    """Rows of user, item, day of 2020 and pos."""
    day = dt.datetime(2020, 1, 1)
    full = [
        (u, i, None if d is None else day + dt.timedelta(days=d), p, "click", 1.0)
        for u, i, d, p in rows
    ]
    return spark.createDataFrame(full, LOG)


def histories(rows: DataFrame) -> dict[str, str]:
    """Items of each user in order, joined."""
    found: dict[str, list[tuple[int, str]]] = {}
    for row in rows.collect():
        found.setdefault(row["user_id"], []).append((row["position"], row["item_id"]))
    for rows_of_user in found.values():
        assert sorted(index for index, _ in rows_of_user) == list(range(len(rows_of_user)))
    return {user: "".join(item for _, item in sorted(pairs)) for user, pairs in found.items()}


def ordered(rows: DataFrame, tie_order: str, seed: int = 1) -> dict[str, str]:
    return histories(order_positions(rows, tie_order, seed))


def without(rows: DataFrame, *names: str) -> DataFrame:
    """The log as if it had no such column."""
    kinds = dict(rows.dtypes)
    return rows.withColumns({name: F.lit(None).cast(kinds[name]) for name in names})


def test_a_repeated_pair_keeps_its_last_or_first_row(spark):
    rows = log(spark, [("u", "a", 3, 0), ("u", "a", 1, 2), ("u", "b", 2, 1), ("v", "a", 9, 9)])
    for frame, keep, pos in (
        (rows, "last", 0),
        (rows, "first", 2),
        (without(rows, "ts"), "last", 2),
        (without(rows, "ts"), "first", 0),
    ):
        kept = keep_one_per_pair(frame, keep).collect()
        assert len(kept) == 3
        (own,) = [row for row in kept if (row["user_id"], row["item_id"]) == ("u", "a")]
        assert own["pos"] == pos


def test_of_a_repeated_pair_the_strongest_value_counts_whichever_row_stays(spark):
    rows = log(spark, [("u", "a", 1, None), ("u", "a", 2, None), ("u", "b", 3, None)])
    rows = rows.withColumn("strength", F.when(F.col("ts") < "2020-01-03", 5.0).otherwise(1.0))
    kept = keep_one_per_pair(rows, "last", ["strength"]).collect()
    assert {(row["item_id"], row["ts"].day, row["strength"]) for row in kept} == {
        ("a", 3, 5.0),
        ("b", 4, 1.0),
    }


def test_order_goes_by_ts_then_pos_and_ends_at_the_item(spark):
    rows = log(spark, [("u", "c", 1, 5), ("u", "a", 1, 7), ("u", "b", 0, 9), ("u", "d", 2, 5)])
    assert ordered(rows, "given") == {"u": "bcad"}
    assert ordered(without(rows, "pos"), "given") == {"u": "bacd"}
    assert ordered(without(rows, "ts"), "given") == {"u": "cdab"}
    assert ordered(without(rows, "ts", "pos"), "given") == {"u": "abcd"}


def test_shuffled_ties_depend_on_the_seed_alone_and_keep_the_days_in_order(spark):
    names = "abcdefgh"
    rows = [
        ("u", name, day, position)
        for day in (0, 1)
        for position, name in enumerate(names if day == 0 else names.upper())
    ]
    first = ordered(log(spark, rows), "shuffled", seed=1)["u"]
    again = ordered(log(spark, rows[::-1]).repartition(7), "shuffled", seed=1)["u"]
    other = ordered(log(spark, rows), "shuffled", seed=2)["u"]
    assert first == again != other
    assert first[:8] != names
    assert (sorted(first[:8]), sorted(first[8:])) == (list(names), list(names.upper()))


def test_the_last_rows_are_held_out_of_users_long_enough(spark):
    rows = log(
        spark,
        [
            (user, item, day, day)
            for user in ("a", "ab", "abc", "abcd")
            for day, item in enumerate(user)
        ],
    )
    rows = order_positions(rows, "given", 1)
    wanted = {
        "none": {"a": "t", "ab": "tt", "abc": "ttt", "abcd": "tttt"},
        "last_1": {"a": "t", "ab": "tT", "abc": "ttT", "abcd": "tttT"},
        "last_2": {"a": "t", "ab": "tt", "abc": "tvT", "abcd": "ttvT"},
    }
    letters = {"train": "t", "valid": "v", "test": "T"}
    for holdout, folds in wanted.items():
        found = assign_folds(rows, holdout, 0.1).collect()
        for user, letters_wanted in folds.items():
            mine = sorted(
                (row["position"], letters[row["fold"]]) for row in found if row["user_id"] == user
            )
            assert "".join(letter for _, letter in mine) == letters_wanted


def test_time_folds_take_the_latest_share_and_never_cut_a_moment_in_two(spark):
    rows = log(spark, [(f"u{n}", "a", n // 5, None) for n in range(100)])
    rows = order_positions(rows, "given", 1)
    for partitions in (1, 5):
        found = assign_folds(rows.repartition(partitions), "time", 0.12).collect()
        days = {
            fold: {
                (row["ts"] - dt.datetime(2020, 1, 1)).days for row in found if row["fold"] == fold
            }
            for fold in ("train", "valid", "test")
        }
        assert days == {"test": {18, 19}, "valid": {16, 17}, "train": set(range(16))}
    one_moment = assign_folds(rows.where("ts = '2020-01-01'"), "time", 0.12).collect()
    assert {row["fold"] for row in one_moment} == {"train"}


def test_a_log_is_cut_at_the_moments_given_and_a_row_at_a_cut_is_of_the_later_fold(spark):
    rows = log(spark, [(f"u{n % 3}", f"i{n}", n, None) for n in range(12)])
    for valid_from, first_valid in ((None, 9), ("2020-01-06T23:59:59.999999Z", 6)):
        found = split_interactions(rows, "time", test_from="2020-01-10", valid_from=valid_from)
        days = {(row["ts"] - dt.datetime(2020, 1, 1)).days: row["fold"] for row in found.collect()}
        assert days == {
            day: "test" if day >= 9 else "valid" if day >= first_valid else "train"
            for day in range(12)
        }
    at_noon = dt.datetime(2020, 1, 10, 12, tzinfo=dt.timezone(dt.timedelta(hours=12)))
    assert split_interactions(rows, "time", test_from=at_noon).where("fold = 'test'").count() == 3


@pytest.mark.parametrize(
    ("cuts", "words"),
    [
        ({"test_from": "2020-01-10"}, "cannot be split: test_from and valid_from cut the log in"),
        ({"holdout": "time", "valid_from": "2020-01-10"}, "valid_from needs test_from"),
        (
            {"holdout": "time", "test_from": "2020-01-10", "valid_from": "2020-01-11"},
            r"valid_from \(2020-01-11\) must be before test_from",
        ),
        ({"holdout": "time", "test_from": "soon"}, "must be moments of ISO 8601"),
    ],
)
def test_moments_that_cut_nothing_are_refused(spark, cuts, words):
    with pytest.raises(UserError, match=words):
        split_interactions(log(spark, [("u", "a", 1, 1)]), **cuts)


CLICKS = [("u", 7, 3.5), ("u", 8, 1.5), ("u", 7, 4.5), ("u", 9, 2.5), ("v", 7, 1.0)]


def folds_of(rows: DataFrame) -> dict[tuple[str, str], tuple[int, str]]:
    return {
        (row["user_id"], row["item_id"]): (row["position"], row["fold"]) for row in rows.collect()
    }


def test_a_raw_log_is_split_as_ingest_splits_it_whatever_names_its_order(spark):
    wanted = {
        ("u", "8"): (0, "train"),
        ("u", "9"): (1, "train"),
        ("u", "7"): (2, "test"),
        ("v", "7"): (0, "train"),
    }
    by_ts = pd.DataFrame(CLICKS, columns=["user_id", "item_id", "ts"])
    assert folds_of(split_interactions(by_ts)) == wanted
    by_position = spark.createDataFrame(CLICKS, "user_id string, item_id int, position double")
    found = split_interactions(by_position, "last_1")
    assert folds_of(found) == wanted
    assert found.columns == ["user_id", "item_id", "position", "fold"]
    # With a time for each row too, the position decides on equal times alone; more columns stay.
    both = by_position.selectExpr("*", "5.0D AS ts", "'view' AS event")
    assert folds_of(split_interactions(both)) == wanted
    newest_first = by_position.selectExpr(
        "user_id", "item_id", "position AS ts", "-position AS position"
    )
    assert folds_of(split_interactions(newest_first)) == wanted
    assert "event" in split_interactions(both).columns


def test_a_log_that_cannot_be_split_is_refused_with_what_to_do(spark):
    rows = spark.createDataFrame(CLICKS, "user_id string, item_id int, ts double")
    for frame, holdout, words in (
        (rows.drop("item_id"), "last_1", "lack item_id"),
        (rows.drop("ts"), "last_1", "need ts or position"),
        (rows, "time", "make it a timestamp"),
        (rows.selectExpr("user_id", "item_id", "string(ts) AS ts"), "last_1", "make it a"),
        (rows.selectExpr("user_id", "item_id", "ts AS position"), "time", "needs the column ts"),
        (rows.selectExpr("double(item_id) AS item_id", "user_id", "ts"), "last_1", "whole numbers"),
        ([("u", 1)], "last_1", "this is a list"),
    ):
        with pytest.raises(UserError, match=words):
            split_interactions(frame, holdout)


def test_a_share_of_the_items_is_held_back_with_all_their_rows(spark) -> None:
    rows = [
        (f"u{user}", f"i{(user + place) % 200}", place) for user in range(200) for place in range(3)
    ]
    log = spark.createDataFrame(rows, "user_id string, item_id string, position int")
    marked = mark_held_back_items(log.withColumn("fold", F.lit("train")), 0.2, seed=7).cache()
    held_back = {row["item_id"] for row in marked.where("held_back").collect()}
    assert 20 < len(held_back) < 60
    assert not held_back & {row["item_id"] for row in marked.where("not held_back").collect()}
    assert rows_seen(marked, ["train"], 0).count() == 600
    seen = {(row["user_id"], row["item_id"]) for row in rows_seen(marked, ["train"], 1).collect()}
    assert seen == {
        (user, item) for user, item, place in rows if place < 2 and item not in held_back
    }
    none = mark_held_back_items(log, 0.0, seed=7)
    assert none.where("held_back").isEmpty()
    other = {
        row["item_id"]
        for row in mark_held_back_items(log, 0.2, seed=8).where("held_back").collect()
    }
    assert other != held_back
