"""Damping, normalisation, order and ranks of the served lists, against values made by hand."""

from __future__ import annotations

import math

import pytest

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.index.transform import count_clicks, rank_neighbors
from llm_i2i_spark.lake.tables import contract_schema

pytestmark = pytest.mark.spark
PLAIN = IndexConfig(normalize="none", popularity_exponent=0.0)
SIMILAR = [  # item, neighbour, similarity, synthetic share
    ("a", "b", 0.5, 0.0),
    ("a", "10", 0.25, 0.5),
    ("a", "9", 0.25, 1.0),
    ("b", "a", 0.5, 0.0),
]


@pytest.fixture(scope="module")
def similarity(spark):
    rows = [
        ("v", "swing", item, neighbor, score, 2, share, None)
        for item, neighbor, score, share in SIMILAR
    ]
    return spark.createDataFrame(rows, contract_schema(TABLES["item_similarity"]))


@pytest.fixture(scope="module")
def clicks(spark):
    rows = [("v", "b", 16), ("v", "10", 1), ("v", "9", 1), ("other", "a", 99)]
    return spark.createDataFrame(rows, "variant string, item_id string, clicks bigint")


def lists_of(frame):
    return {
        row["item_id"]: [tuple(neighbor) for neighbor in row["neighbors"]]
        for row in frame.collect()
    }


def test_plain_lists_are_ordered_by_score_then_shorter_id(similarity, clicks):
    frame = rank_neighbors(similarity, clicks, PLAIN)
    wanted = {
        field.name: field.dataType.simpleString() for field in contract_schema(TABLES["item_index"])
    }
    assert {field.name: field.dataType.simpleString() for field in frame.schema} == wanted
    found = lists_of(frame)
    assert found == {
        "a": [("b", 0.5, 1, 0.0), ("9", 0.25, 2, 1.0), ("10", 0.25, 3, 0.5)],
        "b": [("a", 0.5, 1, 0.0)],
    }


def test_a_boost_lifts_neighbors_that_nobody_clicked_and_no_others(similarity, clicks):
    boosted = PLAIN.model_copy(update={"new_item_boost": 3.0})
    found = lists_of(rank_neighbors(similarity, clicks.where("item_id <> '9'"), boosted))
    assert found["a"] == [("9", 0.75, 1, 1.0), ("b", 0.5, 2, 0.0), ("10", 0.25, 3, 0.5)]
    assert found["b"] == [("a", 1.5, 1, 0.0)]  # its clicks are those of another variant


def test_damping_counts_clicks_of_the_same_variant_and_a_row_gets_length_one(similarity, clicks):
    found = lists_of(
        rank_neighbors(
            similarity, clicks, IndexConfig(normalize="row", popularity_exponent=0.5, size=2)
        )
    )
    # 0.5 / 16^0.5 falls behind both 0.25, and only the two best are kept and counted in the row's
    # length.
    half = pytest.approx(1 / math.sqrt(2))
    assert found["a"] == [("9", half, 1, 1.0), ("10", half, 2, 0.5)]
    assert found["b"] == [("a", 1.0, 1, 0.0)]


def test_only_real_rows_are_popularity(spark):
    rows = [
        ("v", "u", "a", "real"),
        ("v", "w", "a", "real"),
        ("v", "u", "b", "synthetic"),
        ("x", "u", "a", "real"),
    ]
    counted = count_clicks(
        spark.createDataFrame(rows, "variant string, user_id string, item_id string, source string")
    )
    assert sorted(map(tuple, counted.collect())) == [("v", "a", 2), ("x", "a", 1)]
