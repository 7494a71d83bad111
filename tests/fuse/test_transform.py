"""Fusing: soft weights, the published threshold, and real rows the discriminator rejects."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.sections.fuse import FuseConfig
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.fuse.fusion import fuse_rows
from llm_i2i_spark.fuse.transform import (
    confident_rows,
    credible_real_rows,
    generator_confidence,
    real_rows,
    rows_in_band,
    scale_of_mass,
    score_confidence,
    soft_rows,
)
from llm_i2i_spark.lake.interaction_weights import LEAST_WEIGHT, WeightScale, measure_weights

pytestmark = pytest.mark.spark

VARIANT = find_variant("llm_i2i")


@pytest.fixture
def real(spark: SparkSession) -> DataFrame:
    rows = [
        ("u1", "a", None, 0, 2.0),
        ("u1", "b", None, 1, 2.0),
    ]
    interactions = spark.createDataFrame(
        rows, "user_id string, item_id string, ts timestamp, position int, weight double"
    )
    return real_rows(interactions, measure_weights(interactions).relative())


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


def test_real_rows_that_weigh_alike_weigh_one(real: DataFrame) -> None:
    assert _weights(real) == {"a": 1.0, "b": 1.0}


def test_weights_are_relative_to_the_strongest_and_synthetic_rows_count_as_a_typical_one(
    spark: SparkSession, scored: DataFrame
) -> None:
    rows = [("u1", "a", 5.0), ("u1", "b", 1.0), ("u2", "a", 3.0), ("u2", "b", 1e-9)]
    log = spark.createDataFrame(rows, "user_id string, item_id string, weight double")
    log = log.selectExpr("*", "timestamp(NULL) AS ts", "1 AS position")
    scale = measure_weights(log)
    real = real_rows(log, scale.relative())
    weights = {(row["user_id"], row["item_id"]): row["weight"] for row in real.collect()}
    assert weights == {
        ("u1", "a"): 1.0,
        ("u1", "b"): 0.2,
        ("u2", "a"): 3.0 / 5.0,
        ("u2", "b"): LEAST_WEIGHT,
    }
    typical = scale.mean_relative(log)
    assert typical == pytest.approx(1.8 / 4, rel=1e-6)
    models = {"scored": scored.drop("weight")}
    settings = FuseConfig(soft_weight_scale=0.1)
    fused = fuse_rows(VARIANT.fusion, real, models, settings, typical)
    synthetic = _weights(fused.where("source = 'synthetic'"))
    assert synthetic == pytest.approx({"c": typical, "d": typical / 2})
    alike = measure_weights(log.limit(0))
    assert (alike, alike.mean_relative(log)) == (WeightScale(1.0, 1.0), 1.0)


def test_soft_weight_is_confidence_over_scale_at_most_one(scored: DataFrame) -> None:
    found = _weights(soft_rows(score_confidence(scored), scale=0.1, min_weight=0.01))
    assert found == {"c": 1.0, "d": pytest.approx(0.5)}


@pytest.mark.parametrize("mass", [1.0, 20.0, 150.0])
def test_the_scale_of_a_mass_gives_synthetic_rows_that_weight(
    spark: SparkSession, mass: float
) -> None:
    confidences = np.random.default_rng(0).random(300) ** 4
    rows = [("u", f"i{n}", float(value)) for n, value in enumerate(confidences)]
    pairs = spark.createDataFrame(rows, "user_id string, item_id string, confidence double")
    scale = scale_of_mass(pairs, mass)
    assert np.minimum(1, confidences / scale).sum() == pytest.approx(mass, rel=0.01)
    assert scale_of_mass(pairs.repartition(7), mass) == scale


def test_of_too_few_candidates_for_a_mass_all_weigh_one(scored: DataFrame) -> None:
    pairs = score_confidence(scored)
    assert scale_of_mass(pairs, 3.5) == pytest.approx(0.0005, rel=0.01)
    assert scale_of_mass(pairs.limit(0), 3.5) == 1.0


def test_synthetic_rows_weigh_as_much_as_the_real_ones_unless_told_otherwise(
    real: DataFrame, scored: DataFrame
) -> None:
    models = {"scored": scored}
    for mass in (1.0, 0.5):
        settings = FuseConfig(synthetic_mass=mass, min_weight=0.0)
        fused = fuse_rows(VARIANT.fusion, real, models, settings)
        weights = _weights(fused.where("source = 'synthetic'"))
        assert sum(weights.values()) == pytest.approx(2 * mass, rel=0.01)
    settings = FuseConfig(mode="threshold", threshold=0.05)
    fused = fuse_rows(VARIANT.fusion, real, models, settings)
    assert _weights(fused.where("source = 'synthetic'")) == {"c": 1.0, "d": 1.0}
    rule = find_variant("no_threshold").fusion
    fused = fuse_rows(rule, real, models, FuseConfig())
    assert _weights(fused.where("source = 'synthetic'")) == {"c": 1.0}


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"score": "p_yes", "threshold": 0.8}, {"c"}),
        ({"score": "p_yes", "threshold": 0.4}, {"c", "d"}),
        ({"band": (0.0, 0.5)}, {"d", "e"}),
        ({"band": (0.5, 1.0)}, {"c"}),
        ({"band": (0.99, 1.0)}, {"c"}),
        ({"per_user": 2}, {"c", "d"}),
        ({"per_user": 1, "band": (0.0, 0.5)}, {"d"}),
        ({"per_user": 0}, set()),
    ],
)
def test_a_score_a_band_and_a_number_choose_synthetic_rows(
    real: DataFrame, scored: DataFrame, settings: dict[str, object], kept: set[str]
) -> None:
    chosen = FuseConfig.model_validate({"mode": "threshold", "threshold": 0.0, **settings})
    fused = fuse_rows(VARIANT.fusion, real, {"scored": scored}, chosen)
    assert _weights(fused) == {"a": 1.0, "b": 1.0, **dict.fromkeys(kept, 1.0)}


def test_soft_weights_can_come_from_the_probability_of_yes(
    real: DataFrame, scored: DataFrame
) -> None:
    settings = FuseConfig(score="p_yes", soft_weight_scale=0.8)
    fused = fuse_rows(VARIANT.fusion, real, {"scored": scored}, settings)
    rows = {row["item_id"]: row for row in fused.where("source = 'synthetic'").collect()}
    assert {item: row["weight"] for item, row in rows.items()} == pytest.approx(
        {"c": 1.0, "d": 0.5, "e": 0.125}
    )
    assert rows["d"]["confidence"] == 0.05  # the calibrated one stands in the table


def test_of_equal_scores_none_is_in_two_bands(spark: SparkSession) -> None:
    rows = [("u", f"i{n}", value) for n, value in enumerate([0.1, 0.1, 0.1, 0.2, 0.3, 0.3, 0.9])]
    pairs = spark.createDataFrame(rows, "user_id string, item_id string, confidence double")
    bands = [
        {row["item_id"] for row in rows_in_band(pairs, band, "confidence").collect()}
        for band in ((0.0, 0.3), (0.3, 0.6), (0.6, 1.0))
    ]
    assert sorted(item for band in bands for item in band) == [f"i{n}" for n in range(7)]
    assert rows_in_band(pairs.limit(0), (0.3, 0.6), "confidence").isEmpty()


def test_votes_of_similar_users_weigh_by_their_share_in_either_mode(
    spark: SparkSession, real: DataFrame
) -> None:
    rows = [("u1", "c", 0.5), ("u1", "d", 0.125), ("u2", "a", 0.25)]
    retrieved = spark.createDataFrame(rows, "user_id string, item_id string, share double")
    rule = find_variant("llm_cf").fusion
    for settings in (FuseConfig(), FuseConfig(mode="threshold", threshold=0.4)):
        fused = fuse_rows(rule, real, {"retrieved": retrieved}, settings).collect()
        weights = {(row["user_id"], row["item_id"]): row["weight"] for row in fused}
        assert weights.pop(("u1", "a")) == weights.pop(("u1", "b")) == 1.0
        # Together as much as the two real rows: a scale of .375, above which weights are 1.
        assert sum(weights.values()) == pytest.approx(2.0, rel=0.02)
        assert weights == pytest.approx(
            {("u1", "c"): 1.0, ("u2", "a"): 0.667, ("u1", "d"): 0.333}, rel=0.02
        )
        assert {row["source"] for row in fused if row["confidence"]} == {"synthetic"}


def test_threshold_keeps_the_confident_with_full_weight(scored: DataFrame) -> None:
    assert _weights(confident_rows(score_confidence(scored), 0.05)) == {"c": 1.0, "d": 1.0}


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
