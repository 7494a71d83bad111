"""Edge weights of interactions, at most 1: of a real one relative to the strongest of the log, of a
synthetic one by its confidence.
"""

from __future__ import annotations

import math

import numpy as np
from pyspark.sql import Column, DataFrame, Window
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
    """The candidates with their scores: `user_id, item_id, confidence, p_yes`."""
    synthetic = scored.where(F.col("source") == "synthetic")
    return synthetic.select("user_id", "item_id", "confidence", "p_yes")


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


def rows_in_band(pairs: DataFrame, band: tuple[float, float], by: str) -> DataFrame:
    """The synthetic rows between two shares of all of them, in the order of a score.

    Rows of equal score lie in the same band, that of the last of them.

    Args:
        pairs: `user_id, item_id` and the score.
        band: shares of the rows, the least first: (0.8, 1) is the best fifth.
        by: column of the score.
    """
    if band == (0.0, 1.0):
        return pairs
    # The exact percentile: an approximate one depends on how the rows are divided.
    found = pairs.agg(F.percentile(by, F.array(*map(F.lit, band))).alias("bounds")).first()
    low, high = (found and found["bounds"]) or (0.0, 0.0)
    above = F.col(by) >= low if band[0] == 0 else F.col(by) > low
    return pairs.where(above & (F.col(by) <= high))


def best_rows_of_users(pairs: DataFrame, most: int | None, by: str) -> DataFrame:
    """So many synthetic rows of a user at most, those of the highest score.

    Args:
        pairs: `user_id, item_id` and the score.
        most: rows of a user; None for all.
        by: column of the score; of equal ones the lower item id is kept.
    """
    if most is None:
        return pairs
    order = Window.partitionBy("user_id").orderBy(F.desc(by), "item_id")
    ranked = pairs.withColumn("_rank", F.row_number().over(order))
    return ranked.where(F.col("_rank") <= most).drop("_rank")


def soft_rows(
    pairs: DataFrame, scale: float, min_weight: float, by: str = "confidence"
) -> DataFrame:
    """Mode `soft`: synthetic rows with weight min(1, score / scale).

    Args:
        pairs: `user_id, item_id, confidence` and the score.
        scale: score from which the weight is 1.
        min_weight: rows with a lower weight are left out.
        by: column of the score.
    """
    weight = F.least(F.lit(1.0), F.col(by) / F.lit(float(scale)))
    return _synthetic(pairs, weight).where((F.col("weight") >= min_weight) & (F.col("weight") > 0))


def scale_of_mass(pairs: DataFrame, mass: float, by: str = "confidence") -> float:
    """The scale with which synthetic rows of mode `soft` weigh so much together: the s of Σ min(1,
    score / s) = mass.

    Scores are counted in classes that are 1 % wide, so that the scale is right to about half a
    per cent and the same whatever the order of the rows.

    Args:
        pairs: `user_id, item_id` and the score.
        mass: what all weights add up to; where there are too few pairs for it, the scale is the
            least score, and all weights are 1.
        by: column of the score.

    Returns:
        The scale, above 0; 1 without any score above 0.
    """
    width = math.log(CLASS_RATIO)
    of_class = F.floor(F.log(by) / F.lit(width)).cast("int").alias("of_class")
    counted = pairs.where(F.col(by) > 0).groupBy(of_class).agg(F.count("*").alias("rows"))
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


def confident_rows(pairs: DataFrame, threshold: float, by: str = "confidence") -> DataFrame:
    """Mode `threshold` (the published one): synthetic rows with weight 1, those below the threshold
    left out.

    Args:
        pairs: `user_id, item_id, confidence` and the score.
        threshold: lowest score that is kept.
        by: column of the score.
    """
    return _synthetic(pairs.where(F.col(by) >= threshold), F.lit(1.0))


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
