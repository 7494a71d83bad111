"""Backbone linear beyond what all backbones share: the regression of each target by itself, what a
similarity says, the kernels.
"""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.backbones import Linear
from llm_i2i_spark.backbones.base import BackboneRun, EngineOptions
from llm_i2i_spark.kernels import ridge
from tests.backbones.oracles import linear as oracle
from tests.backbones.plain_log import frame_of, plain_log, random_log


def by_pair(similar):
    return {tuple(row)[:2]: tuple(row)[2:] for row in similar.collect()}


def wanted(frame, backbone):
    found = oracle.similarities(plain_log(frame, backbone), backbone)
    return {pair: values for pair, values in found.items() if values[0] > 0}


@pytest.mark.spark
@pytest.mark.parametrize("sources", [3, 100])
def test_above_dense_items_each_target_is_regressed_on_its_strongest_sources(
    spark, sources
) -> None:
    frame = frame_of(spark, random_log(4, users=80))
    backbone = Linear(dense_items=5, sources=sources, ridge=2.0)
    found = by_pair(backbone.similar_items(frame))
    expected = wanted(frame, backbone)
    assert found.keys() == expected.keys()
    for pair, values in found.items():
        assert values == pytest.approx(expected[pair], rel=1e-12)
    blocks = BackboneRun(options=EngineOptions(blocks=3))
    assert by_pair(backbone.similar_items(frame.repartition(5), blocks)) == found


@pytest.mark.spark
def test_an_item_that_merely_stands_beside_the_cause_is_explained_away(spark) -> None:
    rows = [(f"u{n}", item, place) for n in range(30) for place, item in enumerate("abc")]
    rows += [(f"v{n}", item, place) for n in range(60) for place, item in enumerate("xbc")]
    rows += [(f"w{n}", item, place) for n in range(60) for place, item in enumerate("ad")]
    frame = spark.createDataFrame(rows, "user_id string, item_id string, position int")
    found = by_pair(Linear(ridge=1.0).similar_items(frame))
    assert found["b", "c"][0] > 0.9
    assert found["b", "c"][1] == 90  # users behind it
    assert found.get(("a", "c"), (0.0,))[0] < 0.05  # counting alone would give it 30 clicks
    assert ("c", "b") not in found


@pytest.mark.spark
def test_without_an_order_of_clicks_there_is_nothing_to_regress(spark) -> None:
    rows = [(f"u{n}", item, "synthetic", None) for n in range(5) for item in "ab"]
    columns = "user_id string, item_id string, source string, position int"
    assert Linear().similar_items(spark.createDataFrame(rows, columns)).collect() == []


@pytest.mark.parametrize(("items", "panel"), [(1, 4), (7, 3), (50, 7), (64, 16)])
def test_the_inverse_is_that_of_the_lower_triangle(monkeypatch, items, panel) -> None:
    monkeypatch.setattr(ridge, "PANEL", panel)
    rows = np.random.default_rng(items).normal(size=(items + 5, items))
    matrix = rows.T @ rows + np.eye(items)
    inverse = np.tril(matrix)
    ridge.invert_in_place(inverse)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), atol=1e-12)
    assert np.array_equal(inverse, inverse.T)
