"""Queries and the long-tail mark, on cases small enough to read."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.evaluate.catalogue import mark_long_tail
from llm_i2i_spark.evaluate.queries import item_key, select_queries

pytestmark = pytest.mark.spark


def key(spark: SparkSession, item: str) -> int:
    return spark.range(1).select(item_key(F.lit(item))).first()[0]


def test_queries_hold_what_lies_before_the_first_target(spark: SparkSession) -> None:
    rows = [
        ("u", "a", 0, "train"),
        ("u", "b", 1, "train"),
        ("u", "c", 2, "valid"),
        ("u", "d", 3, "test"),
        ("u", "e", 4, "test"),
        ("new", "a", 0, "test"),
        ("gone", "a", 0, "train"),
    ]
    log = spark.createDataFrame(rows, "user_id string, item_id string, position int, fold string")
    found = {
        row["user_id"]: row for row in select_queries(log, "test", ("train", "valid"), 2).collect()
    }
    assert found.keys() == {"u", "new"}
    assert found["u"]["target"] == key(spark, "d")
    assert found["u"]["clicks"] == ["c", "b"]
    assert set(found["u"]["owned"]) == {key(spark, item) for item in "abc"}
    assert found["new"]["clicks"] == found["new"]["owned"] == []


def test_a_validation_target_has_a_query_of_training_rows(spark: SparkSession) -> None:
    rows = [("u", "a", 0, "train"), ("u", "b", 1, "valid"), ("u", "c", 2, "test")]
    log = spark.createDataFrame(rows, "user_id string, item_id string, position int, fold string")
    (found,) = select_queries(log, "valid", ("train",), 10).collect()
    assert found["clicks"] == ["a"]
    assert found["target"] == key(spark, "b")


def test_the_long_tail_is_the_bottom_share_exactly(spark: SparkSession) -> None:
    counts = [
        ("10", 5),
        ("9", 5),
        ("100", 5),
        ("8", 5),
        ("a", 1),
        ("b", 7),
        ("c", 8),
        ("d", 9),
        ("e", 9),
        ("f", 9),
    ]
    frame = spark.createDataFrame(counts, "item_id string, total bigint")
    tail = {row["item_id"] for row in mark_long_tail(frame, 0.4).where("long_tail").collect()}
    assert tail == {"a", "8", "9", "10"}
    assert mark_long_tail(frame, 0.4).count() == 10
