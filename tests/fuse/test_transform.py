"""Fusing: soft weights, the published threshold, and real rows the discriminator rejects."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.fuse.transform import (
    confident_rows,
    credible_real_rows,
    generator_confidence,
    real_rows,
    score_confidence,
    soft_rows,
    yes_rows,
)

pytestmark = pytest.mark.spark


@pytest.fixture
def real(spark: SparkSession) -> DataFrame:
    rows = [
        ("u1", "a", None, 0, "train"),
        ("u1", "b", None, 1, "train"),
        ("u1", "z", None, 2, "test"),
    ]
    interactions = spark.createDataFrame(
        rows, "user_id string, item_id string, ts timestamp, position int, fold string"
    )
    return real_rows(interactions, ("train",))


@pytest.fixture
def scored(spark: SparkSession) -> DataFrame:
    rows = [
        ("u1", "a", "real", 0.9, 0.9, True),
        ("u1", "c", "synthetic", 0.8, 0.2, True),
        ("u1", "d", "synthetic", 0.4, 0.05, False),
        ("u1", "e", "synthetic", 0.1, 0.0005, False),
    ]
    return spark.createDataFrame(
        rows,
        "user_id string, item_id string, source string, p_yes double, confidence double, decision"
        " boolean",
    )


def _weights(frame: DataFrame) -> dict[str, float]:
    return {row["item_id"]: row["weight"] for row in frame.collect()}


def test_real_rows_are_those_of_the_folds_with_weight_one(real: DataFrame) -> None:
    assert _weights(real) == {"a": 1.0, "b": 1.0}


def test_soft_weight_is_confidence_over_scale_at_most_one(scored: DataFrame) -> None:
    found = _weights(soft_rows(score_confidence(scored), scale=0.1, min_weight=0.01))
    assert found == {"c": 1.0, "d": pytest.approx(0.5)}


def test_threshold_keeps_the_confident_with_full_weight(scored: DataFrame) -> None:
    assert _weights(confident_rows(score_confidence(scored), 0.05)) == {"c": 1.0, "d": 1.0}
    assert _weights(yes_rows(scored)) == {"c": 1.0}


def test_real_rows_get_the_discriminators_score_and_unscored_ones_stay(
    real: DataFrame, scored: DataFrame
) -> None:
    kept = credible_real_rows(real, scored, 0.0)
    assert {row["item_id"]: row["confidence"] for row in kept.collect()} == {"a": 0.9, "b": None}
    assert _weights(credible_real_rows(real, scored, 0.95)) == {"b": 1.0}


def test_the_generators_probability_can_stand_for_confidence(spark: SparkSession) -> None:
    candidates = spark.createDataFrame(
        [("u1", "c", -1.0)], "user_id string, item_id string, log_prob double"
    )
    assert generator_confidence(candidates).collect()[0]["confidence"] == pytest.approx(
        0.36788, abs=1e-5
    )
