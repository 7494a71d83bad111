"""Scoring requests: a real item is scored by the items before it alone, and every item once."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.discriminate.transform import candidate_requests, real_requests

pytestmark = pytest.mark.spark

HISTORY = "user_id string, history array<struct<item_id:string,text:string>>"


@pytest.mark.parametrize("length", [1, 2, 4, 5, 6, 7, 13, 30])
@pytest.mark.parametrize("window", [1, 4, 10])
def test_each_real_item_is_scored_once_and_sees_the_items_before_it(
    spark: SparkSession, length: int, window: int
) -> None:
    history = [(f"i{n}", f"t{n}") for n in range(length)]
    rows = real_requests(spark.createDataFrame([("u", history)], HISTORY), window).collect()
    scored = []
    for row in rows:
        shown = [e["item_id"] for e in row["history"]]
        for request in row["requests"]:
            position = int(request["item_id"][1:])
            seen = shown[: request["prefix_length"]]
            assert seen == [f"i{n}" for n in range(position - len(seen), position)]
            least = position if position <= window // 2 else max(window // 2, 1)
            assert len(seen) >= least
            assert len(seen) <= window
            scored.append(position)
    assert sorted(scored) == list(range(length))


def test_candidates_see_the_whole_history_in_a_fixed_order(spark: SparkSession) -> None:
    histories = spark.createDataFrame([("u", [("a", "A"), ("b", "B")])], HISTORY)
    candidates = spark.createDataFrame(
        [("u", "d", -2.0), ("u", "c", -1.0)], "user_id string, item_id string, log_prob double"
    )
    items = spark.createDataFrame([("c", "C")], "item_id string, text string")
    row = candidate_requests(histories, candidates, items).collect()[0]
    assert [tuple(request) for request in row["requests"]] == [
        (2, "c", "C", -1.0),
        (2, "d", "d", -2.0),
    ]
