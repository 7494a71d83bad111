"""What every listed backbone must hold, through Spark. A new one is tested by being listed; beside
it stands an oracle of its own, `tests/backbones/oracles/<name>.py`, which a method that has no
closed form (a learned one) may lack. Backbones that read further tables are given them for the
items of the log.
"""

from __future__ import annotations

import random
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.backbones import BACKBONES
from llm_i2i_spark.backbones.base import Backbone, BackboneRun, EngineOptions
from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone
from tests.backbones.plain_log import (
    ITEMS,
    Interaction,
    Similarities,
    frame_of,
    item_order,
    plain_log,
    random_log,
)

pytestmark = [
    pytest.mark.spark,
    pytest.mark.parametrize("kind", BACKBONES, ids=[kind.name for kind in BACKBONES]),
]
CAPS = {"max_users_per_item": 5, "max_items_per_user": 4, "top_k": 6}
COLUMNS = ("item_id", "neighbor_id", "similarity", "support", "synthetic_share")
Row = tuple[str, str, float, int | None, float | None]


def rows_of(similar: DataFrame) -> list[Row]:
    """Best first for each item."""
    rows = [tuple(row) for row in similar.collect()]
    return sorted(rows, key=lambda row: (row[0], -row[2], item_order(row[1])))


@cache
def of_random_log(spark: SparkSession, kind: type[Backbone]) -> list[Row]:
    frame = frame_of(spark, random_log(1, users=60))
    return rows_of(kind().similar_items(frame, run_of(kind, frame)))


def features_of(frame: DataFrame) -> dict[str, list[float]]:
    """Features of the items of a log, always the same for an item."""
    items = sorted(row["item_id"] for row in frame.select("item_id").distinct().collect())
    return {item: [random.Random(f"{item} {n}").gauss(0, 1) for n in range(6)] for item in items}


def proposals_of(frame: DataFrame) -> dict[str, dict[str, float]]:
    """Log-probabilities of other items after an item, some of them equal."""
    items = list(features_of(frame))
    draws = {item: random.Random(f"{item} proposals") for item in items}
    return {
        item: {
            other: -draw.choice([1.0, 2.0, draw.uniform(0, 9)]) for other in items if other != item
        }
        for item, draw in draws.items()
    }


TABLES = {
    "item_features": (features_of, "item_id string, features array<double>"),
    "item_embeddings": (features_of, "item_id string, embedding array<double>"),
    "item_candidates": (proposals_of, "item_id string, neighbor_id string, log_prob double"),
}
"""What a backbone may read beside `fused`: its rows by item, for a log, and its columns."""


def flat_rows(by_item: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A row an item, or where an item has values by a further key, a row each."""
    return [
        row
        for item, value in by_item.items()
        for row in (
            [(item, *pair) for pair in value.items()]
            if isinstance(value, dict)
            else [(item, value)]
        )
    ]


def run_of(kind: type[Backbone], frame: DataFrame, **options: Any) -> BackboneRun:
    """A run with the further tables that a backbone reads."""
    tables = {
        name: frame.sparkSession.createDataFrame(flat_rows(rows(frame)), columns)
        for name, (rows, columns) in TABLES.items()
        if name in kind.reads
    }
    return BackboneRun(options=EngineOptions(**options), tables=tables)


def capped(kind: type[Backbone]) -> Backbone:
    return kind(**{name: value for name, value in CAPS.items() if name in kind.model_fields})


def oracle(frame: DataFrame, backbone: Backbone) -> Similarities:
    name = f"tests.backbones.oracles.{backbone.name}"
    if find_spec(name) is None and not isinstance(backbone, CooccurrenceBackbone):
        pytest.skip(f"there is no {name}")
    module = import_module(name)
    read = [rows(frame) for name, (rows, _) in TABLES.items() if name in backbone.reads]
    found: Similarities = module.similarities(plain_log(frame, backbone), backbone, *read)
    return {pair: values for pair, values in found.items() if values[0] > 0}


def assert_equal(found: list[Row], wanted: Similarities) -> None:
    assert {row[:2] for row in found} == wanted.keys()
    for item, neighbor, similarity, support, share in found:
        values = wanted[item, neighbor]
        assert similarity == pytest.approx(values[0], rel=1e-12, abs=1e-12)
        assert support == values[1]
        assert share == (
            None if values[2] is None else pytest.approx(values[2], rel=1e-12, abs=1e-12)
        )


def test_similarities_equal_the_oracle_on_weighted_rows_real_and_synthetic(spark, kind):
    found = of_random_log(spark, kind)
    assert_equal(found, oracle(frame_of(spark, random_log(1, users=60)), kind()))
    assert {item for row in found for item in row[:2]} == set(ITEMS)  # ids are exact to the byte


def test_similarities_are_symmetric_where_that_is_claimed(spark, kind):
    found = {row[:2]: row[2] for row in of_random_log(spark, kind)}
    turned = {(j, i): value for (i, j), value in found.items()}
    is_symmetric = found.keys() == turned.keys() and turned == pytest.approx(found, rel=1e-12)
    assert is_symmetric == kind.is_symmetric


def test_caps_are_kept_and_partitions_blocks_order_and_repeated_rows_change_no_bit(spark, kind):
    log, backbone, top_k = random_log(2), capped(kind), CAPS["top_k"]
    frame = frame_of(spark, log)
    found = rows_of(backbone.similar_items(frame.coalesce(1), run_of(kind, frame)))
    again = [row._replace(weight=row.weight / 2, source="synthetic", position=None) for row in log]
    shuffled = random.Random(3).sample(log + log + again, 3 * len(log))
    other = frame_of(spark, shuffled).repartition(5)
    run = run_of(kind, other, blocks=7, partitioning="community")
    assert rows_of(backbone.similar_items(other, run)) == found
    wanted = oracle(frame, backbone)
    # Nine digits: what is equal in exact arithmetic ties, and ties go by item.
    best = sorted(wanted, key=lambda pair: (-float(f"{wanted[pair][0]:.9g}"), item_order(pair[1])))
    for item in {item for item, _ in wanted}:
        own = [row for row in found if row[0] == item]
        assert [row[:2] for row in own] == [pair for pair in best if pair[0] == item][:top_k]
    assert_equal(found, {row[:2]: wanted[row[:2]] for row in found})


def test_one_user_and_no_user_at_all(spark, kind):
    log = [Interaction("u", item, 1.0, "real", n) for n, item in enumerate(("10", "9", "007"))]
    alone = frame_of(spark, log)
    of_one = rows_of(kind().similar_items(alone, run_of(kind, alone)))
    empty = frame_of(spark, [])
    nothing = kind().similar_items(empty, run_of(kind, empty))
    assert nothing.collect() == []
    assert tuple(nothing.columns[:5]) == COLUMNS
    assert_equal(of_one, oracle(alone, kind()))
