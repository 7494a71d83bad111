"""Edge weights of interactions, at most 1: of a real one relative to the strongest of the log, of a
synthetic one by its confidence.
"""

from __future__ import annotations

import math

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

CLASS_RATIO = 1.01
"""Of the greatest to the least confidence of a class in `scale_of_mass`."""


def real_rows(interactions: DataFrame, weight: Column) -> DataFrame:
    """The real interactions.

    Args:
        interactions: of the folds that models may see.
        weight: of the edge; 1 where the log weighs all alike.

    Returns:
        The columns of the table `fused` without `variant`; confidence is null, until
        `credible_real_rows` joins the discriminator's score.
    """
    return interactions.select(
        "user_id",
        "item_id",
        weight.alias("weight"),
        F.lit("real").alias("source"),
        F.lit(None).cast("double").alias("confidence"),
        "ts",
        "position",
    )


def credible_real_rows(real: DataFrame, scored: DataFrame, min_p_yes: float) -> DataFrame:
    """Real rows with the discriminator's p_yes as confidence, those below `min_p_yes` left out.

    A row without a score (older than the latest `export.sequence_length` items of its user, or
    `discriminate.score_real=false`) stays, with null.

    Args:
        real: of `real_rows`.
        scored: rows of the table `scored`.
        min_p_yes: probability of the label Yes.
    """
    scores = scored.where(F.col("source") == "real").select("user_id", "item_id", "p_yes")
    return (
        real.join(scores, ["user_id", "item_id"], "left")
        .where(F.col("p_yes").isNull() | (F.col("p_yes") >= min_p_yes))
        .select(
            "user_id",
            "item_id",
            "weight",
            "source",
            F.col("p_yes").alias("confidence"),
            "ts",
            "position",
        )
    )


def score_confidence(scored: DataFrame) -> DataFrame:
    """The candidates with their calibrated confidence: `user_id, item_id, confidence`."""
    return scored.where(F.col("source") == "synthetic").select("user_id", "item_id", "confidence")


def generator_confidence(candidates: DataFrame) -> DataFrame:
    """The candidates with the generator's probability as confidence: `user_id, item_id,
    confidence`.
    """
    return candidates.select("user_id", "item_id", F.exp("log_prob").alias("confidence"))


def retrieved_confidence(retrieved: DataFrame) -> DataFrame:
    """What similar users' steps propose, with the share of their votes as confidence: `user_id,
    item_id, confidence`.
    """
    return retrieved.select("user_id", "item_id", F.col("share").alias("confidence"))


def soft_rows(pairs: DataFrame, scale: float, min_weight: float) -> DataFrame:
    """Mode `soft`: synthetic rows with weight min(1, confidence / scale).

    Args:
        pairs: `user_id, item_id, confidence`.
        scale: confidence from which the weight is 1.
        min_weight: rows with a lower weight are left out.
    """
    weight = F.least(F.lit(1.0), F.col("confidence") / F.lit(float(scale)))
    return _synthetic(pairs, weight).where((F.col("weight") >= min_weight) & (F.col("weight") > 0))


def scale_of_mass(pairs: DataFrame, mass: float) -> float:
    """The scale with which synthetic rows of mode `soft` weigh so much together: the s of Σ min(1,
    confidence / s) = mass.

    Confidences are counted in classes that are 1 % wide, so that the scale is right to about half a
    per cent and the same whatever the order of the rows.

    Args:
        pairs: `user_id, item_id, confidence`.
        mass: what all weights add up to; where there are too few pairs for it, the scale is the
            least confidence, and all weights are 1.

    Returns:
        The scale, above 0; 1 without any confidence above 0.
    """
    width = math.log(CLASS_RATIO)
    of_class = F.floor(F.log("confidence") / F.lit(width)).cast("int").alias("of_class")
    counted = pairs.where(F.col("confidence") > 0).groupBy(of_class).agg(F.count("*").alias("rows"))
    classes = counted.orderBy(F.desc("of_class")).collect()
    rows = np.array([row["rows"] for row in classes], np.float64)
    values = np.exp((np.array([row["of_class"] for row in classes], np.float64) + 0.5) * width)
    # With s between two classes, those above it weigh 1 a row and the others confidence / s.
    above = np.cumsum(rows)
    below = np.cumsum((rows * values)[::-1])[::-1]
    for number in range(len(rows)):
        heavier = above[number - 1] if number else 0.0
        if heavier < mass and (scale := below[number] / (mass - heavier)) >= values[number]:
            return float(scale)
    return float(values[-1]) if len(rows) else 1.0


def as_typical(synthetic: DataFrame, typical: float) -> DataFrame:
    """Synthetic rows weighed as real ones are: one of full confidence counts as much as a real
    interaction does on average, not as the strongest of them.

    Args:
        synthetic: weights beside real rows of weight 1.
        typical: mean weight of the real rows.
    """
    return synthetic.withColumn("weight", F.col("weight") * F.lit(typical))


def confident_rows(pairs: DataFrame, threshold: float) -> DataFrame:
    """Mode `threshold` (the published one): synthetic rows with weight 1, those below the threshold
    left out.

    Args:
        pairs: `user_id, item_id, confidence`.
        threshold: lowest confidence that is kept.
    """
    return _synthetic(pairs.where(F.col("confidence") >= threshold), F.lit(1.0))


def _synthetic(pairs: DataFrame, weight: Column) -> DataFrame:
    return pairs.select(
        "user_id",
        "item_id",
        weight.alias("weight"),
        F.lit("synthetic").alias("source"),
        "confidence",
        F.lit(None).cast("timestamp").alias("ts"),
        F.lit(None).cast("int").alias("position"),
    )
