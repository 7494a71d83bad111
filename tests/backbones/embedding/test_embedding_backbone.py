"""The backbones that learn embeddings on DataFrames without a lake."""

from __future__ import annotations

import random

import pytest

from llm_i2i_spark.backbones import Bpr, YoutubeDnn
from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone
from tests.backbones.embedding.made_up_log import group_of, made_up_log

SMALL = [
    Bpr(factors=8, epochs=15, batch_size=64, top_k=5),
    YoutubeDnn(dims=8, hidden=(8,), epochs=20, batch_size=64, sample_size=64, top_k=5),
]
pytestmark = [
    pytest.mark.spark,
    pytest.mark.lm,
    pytest.mark.parametrize("small", SMALL, ids=[one.name for one in SMALL]),
]


COLUMNS = "user_id string, item_id string, position int"


def rows_of(similar) -> list[tuple]:
    return sorted(map(tuple, similar.collect()))


def test_a_dataframe_alone_gives_neighbours_equal_for_any_order_and_partitioning(
    spark, small: EmbeddingBackbone
):
    rows = [(row["user_id"], row["item_id"], row["position"]) for row in made_up_log().to_pylist()]
    frame = spark.createDataFrame(rows, COLUMNS)
    found = rows_of(small.similar_items(frame.coalesce(1)))
    assert len(found) == 80 * 5
    own = [group_of(item) == group_of(neighbor) for item, neighbor, *_ in found]
    assert sum(own) / len(own) > 0.9
    assert {row[3:] for row in found} == {(None, None)}
    shuffled = random.Random(4).sample(rows + rows[:300], len(rows) + 300)
    other = spark.createDataFrame(shuffled, frame.schema).repartition(7)
    assert rows_of(small.similar_items(other)) == found
    assert rows_of(small.similar_items(frame, BackboneRun(seed=1))) != found


def test_nobody_and_one_click_teach_nothing(spark, small: EmbeddingBackbone):
    one = spark.createDataFrame([("u", "a", 0)], COLUMNS)
    assert small.similar_items(one).collect() == []
    assert small.similar_items(one.limit(0)).collect() == []
