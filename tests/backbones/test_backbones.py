"""Backbones used directly: DataFrames in and out, and sentences where that cannot be."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones import (
    BACKBONES,
    Attribution,
    ItemKnn,
    Swing,
    Transitions,
    find_backbone,
)
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.section import runtime_options

CLICKS = pd.DataFrame(
    {"user_id": [1, 1, 2, 2, 3, 3, 3], "item_id": [10, 9, 10, 9, 10, 9, 8], "ts": range(7)}
)


def rows_of(similar: DataFrame) -> list[tuple]:
    return sorted(map(tuple, similar.collect()))


def test_a_backbone_is_found_by_its_name_and_an_unknown_one_is_a_sentence():
    assert [find_backbone(kind.name) for kind in BACKBONES] == list(BACKBONES)
    with pytest.raises(UserError, match=r"no backbone 'swnig'; choose one of swing, item_knn"):
        find_backbone("swnig")


def test_parameters_of_a_backbone_all_decide_on_the_result():
    for kind in BACKBONES:
        assert runtime_options(kind) == set()


def test_parameters_are_read_without_spark_and_compiled_code():
    loaded = (
        "import sys; from llm_i2i_spark.backbones import Swing; Swing(a1=3)\n"
        "import llm_i2i_spark.config.config\n"
        "print([m for m in ('pyspark', 'numba', 'numpy', 'pandas', 'torch') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.spark
def test_pandas_and_spark_frames_with_ids_of_any_type_give_the_same_rows(spark):
    found = Swing(a2=0.0).similar_items(CLICKS)
    weights = {(2, 2): 1 / 2, (2, 3): 1 / 6**0.5}  # w_u w_v by the users' numbers of items
    wanted = (weights[2, 2] + 2 * weights[2, 3]) / 2
    assert found.schema.simpleString() == (
        "struct<item_id:string,neighbor_id:string,similarity:double,support:int,"
        "synthetic_share:double>"
    )
    assert rows_of(found) == [
        ("10", "9", pytest.approx(wanted), 3, 0.0),
        ("9", "10", pytest.approx(wanted), 3, 0.0),
    ]
    for frame in (CLICKS.astype({"user_id": "string", "item_id": "category"}), CLICKS):
        assert rows_of(Swing(a2=0.0).similar_items(spark.createDataFrame(frame.astype(str)))) == (
            rows_of(found)
        )


@pytest.mark.spark
def test_the_result_is_not_computed_again_when_it_is_read_again(spark, tmp_path):
    path = str(tmp_path / "clicks")
    spark.createDataFrame(CLICKS).write.parquet(path)
    similar = ItemKnn().similar_items(spark.read.parquet(path))
    before = rows_of(similar)
    spark.createDataFrame(CLICKS.head(2)).write.mode("overwrite").parquet(path)
    assert rows_of(similar) == before != []


@pytest.mark.spark
def test_times_order_the_clicks_and_equal_times_go_by_item_id(spark):
    clicks = pd.DataFrame({"user_id": "u", "item_id": ["b", "9", "10"], "ts": [5, 7, 7]})
    wanted = [("10", "9", 1.0), ("b", "10", 1.0), ("b", "9", 0.5)]
    for frame in (clicks, clicks.assign(ts=pd.to_datetime(clicks["ts"], unit="s"))):
        assert [row[:3] for row in rows_of(Transitions().similar_items(frame))] == wanted
    positions = clicks.drop(columns="ts").assign(position=[3, 1, 2])
    assert [row[:3] for row in rows_of(Transitions().similar_items(positions))] == [
        ("10", "b", 1.0),
        ("9", "10", 1.0),
        ("9", "b", 0.5),
    ]


@pytest.mark.spark
@pytest.mark.parametrize(
    ("kind", "frame", "sentence"),
    [
        (Swing, [1, 2], r"Spark or pandas DataFrame is wanted here, and this is a list"),
        (
            Swing,
            CLICKS.rename(columns={"item_id": "asin"}),
            r"no column item_id; their columns are user_id, asin, ts",
        ),
        (Transitions, CLICKS.drop(columns="ts"), r"transitions needs the order .* position or ts"),
        (Swing, CLICKS.assign(item_id=[None, *"abcdef"]), r"1 of the interactions have no"),
        (Swing, CLICKS.assign(weight=2.0), r"7 of the interactions have a weight"),
        (Swing, CLICKS.assign(weight=0.0, source="real"), r"7 of the interactions have a weight"),
        (
            Swing,
            CLICKS.assign(confidence=1.5),
            r"7 of the interactions have a confidence that is no",
        ),
    ],
)
def test_interactions_that_cannot_be_used_are_a_sentence(spark, kind, frame, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        kind().similar_items(frame)
    assert "\n" not in str(caught.value)


@pytest.mark.spark
def test_proposals_are_divided_among_the_latest_clicks_by_age_and_confidence(spark):
    """User u clicked a, then b, and was proposed x and y; v clicked b and was proposed y."""
    log = pd.DataFrame(
        [
            ("u", "a", "real", 1, None),
            ("u", "b", "real", 2, None),
            ("u", "x", "synthetic", None, 0.04),
            ("u", "y", "synthetic", None, 0.16),
            ("v", "b", "real", 1, None),
            ("v", "y", "synthetic", None, 0.01),
            ("w", "a", "real", 1, None),
        ],
        columns=["user_id", "item_id", "source", "position", "confidence"],
    )
    found = {row[:2]: row[2:] for row in rows_of(Attribution().similar_items(log))}
    of_b = {"x": 0.2 * 1 / 1.8, "y": 0.4 * 1 / 1.8 + 0.1}
    assert found == {
        ("a", "x"): (pytest.approx(1 / 3), 1, 1.0),
        ("a", "y"): (pytest.approx(2 / 3), 1, 1.0),
        ("b", "x"): (pytest.approx(of_b["x"] / sum(of_b.values())), 1, 1.0),
        ("b", "y"): (pytest.approx(of_b["y"] / sum(of_b.values())), 2, 1.0),
    }
    alone = {row[:2]: row[2] for row in rows_of(Attribution(history=1).similar_items(log))}
    assert alone == pytest.approx({("b", "x"): 2 / 7, ("b", "y"): 5 / 7})
    assert Attribution().similar_items(log[log["source"] == "real"]).collect() == []
