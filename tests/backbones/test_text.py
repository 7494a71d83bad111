"""Backbone text: which items have neighbours, which features are refused, what an index makes of
them.
"""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.backbones import Text
from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.index.to_index import to_index
from llm_i2i_spark.kernels.nearest_rows import length_of_rows, nearest_rows, quantize

FEATURES = {
    "7": [1.0, 0.0, 0.0],
    "cold": [0.8, 0.6, 0.0],
    "twin": [0.8, 0.6, 0.0],
    "far": [0.0, 0.0, 1.0],
    "wordless": [0.0, 0.0, 0.0],
}
SCHEMA = "item_id string, features array<float>"


def similar(spark, features, **parameters):
    clicks = spark.createDataFrame(
        [("u", "7"), ("u", "not in it")], "user_id string, item_id string"
    )
    run = BackboneRun(tables={"item_features": spark.createDataFrame(features, SCHEMA)})
    return Text(**parameters).similar_items(clicks, run)


@pytest.mark.spark
def test_items_with_features_have_neighbours_clicked_or_not_and_no_others(spark) -> None:
    found = {row[:2]: tuple(row[2:]) for row in similar(spark, list(FEATURES.items())).collect()}
    pairs = [("7", "cold"), ("7", "twin"), ("cold", "twin")]
    assert found.keys() == {*pairs, *((j, i) for i, j in pairs)}
    assert found["cold", "twin"] == (1.0, None, 0.0)
    assert found["7", "cold"] == (pytest.approx(0.8**4, rel=1e-3), None, 0.0)


@pytest.mark.spark
def test_unclicked_neighbours_stay_in_an_index_that_is_damped_by_popularity(spark) -> None:
    rows = similar(spark, list(FEATURES.items()))
    clicks = spark.createDataFrame([("cold",)] * 16, "item_id string")
    index = to_index(rows, popularity_exponent=0.25, normalize="none", interactions=clicks)
    lists = {
        row["item_id"]: [one["item_id"] for one in row["neighbors"]] for row in index.collect()
    }
    assert lists == {"7": ["twin", "cold"], "cold": ["twin", "7"], "twin": ["cold", "7"]}


@pytest.mark.spark
def test_a_least_similarity_and_a_power_that_leaves_nothing_drop_pairs(spark) -> None:
    rows = list(FEATURES.items())
    kept = {row[:2] for row in similar(spark, rows, least_similarity=0.9).collect()}
    assert kept == {("cold", "twin"), ("twin", "cold")}
    assert {row[:2] for row in similar(spark, rows, exponent=5000).collect()} == kept


@pytest.mark.spark
@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ([("a", [1.0]), ("a", [0.5])], r"1 rows of the features name an item that has others"),
        ([("a", [1.0]), ("b", [0.5, 1.0])], r"have from 1 to 2 numbers an item"),
        ([("a", [1.0]), ("b", [float("nan")])], r"1 items have some that are null or not finite"),
        ([("a", [1.0]), ("b", [None])], r"1 items have some that are null or not finite"),
    ],
)
def test_features_that_do_not_fit_are_a_sentence(spark, features, sentence) -> None:
    with pytest.raises(UserError, match=sentence):
        similar(spark, features)


@pytest.mark.spark
def test_without_features_the_sentence_says_how_to_pass_them(spark) -> None:
    clicks = spark.createDataFrame([("u", "7")], "user_id string, item_id string")
    with pytest.raises(UserError, match=r"pass them as BackboneRun\(tables="):
        Text().similar_items(clicks)


@pytest.mark.parametrize("dims", [1, 64, 192, 1024])
def test_no_sum_leaves_the_whole_numbers_of_float32_so_no_shape_changes_a_bit(dims) -> None:
    draw = np.random.default_rng(dims)
    rows = draw.normal(size=(300, dims)).astype(np.float32)
    rows[7] = rows[8]
    whole = quantize(rows)
    assert np.abs(whole.astype(np.int64) @ whole.T.astype(np.int64)).max() < 2**24
    matrix = whole.astype(np.float32)
    found = nearest_rows(matrix, 0, 300, 20, 0.0)
    parts = [nearest_rows(matrix, first, first + 25, 20, 0.0) for first in range(0, 300, 25)]
    for together, apart in zip(found, zip(*parts, strict=True), strict=True):
        assert np.array_equal(together, np.concatenate(apart))
    exact = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    row, neighbor, cosine = found
    assert np.abs((exact[row] * exact[neighbor]).sum(1) - cosine).max() < 1e-3
    assert length_of_rows(dims) > 4000


def test_of_equal_cosines_the_lower_row_comes_first() -> None:
    matrix = quantize(np.array([[1, 0], [1, 1], [1, 1], [1, 1]], np.float32)).astype(np.float32)
    row, neighbor, _ = nearest_rows(matrix, 0, 4, 2, 0.0)
    assert neighbor[row == 0].tolist() == [1, 2]
    assert neighbor[row == 2].tolist() == [1, 3]
