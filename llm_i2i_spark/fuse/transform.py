"""Which rows stay and what they weigh: 1 for a real click, at most 1 for a synthetic one."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def real_rows(interactions: DataFrame, folds: Sequence[str]) -> DataFrame:
    """The real interactions of the given folds, each with weight 1.

    Returns:
        The columns of the table `fused` without `variant`; confidence is null until the
        discriminator's word is joined.
    """
    return interactions.where(F.col("fold").isin(*folds)).select(
        "user_id",
        "item_id",
        F.lit(1.0).alias("weight"),
        F.lit("real").alias("source"),
        F.lit(None).cast("double").alias("confidence"),
        "ts",
        "position",
    )


def credible_real_rows(real: DataFrame, scored: DataFrame, least: float) -> DataFrame:
    """Real rows with the discriminator's p_yes as confidence, without those it gives less than
    `least`.

    A row that was not scored (older than the scored window, or `discriminate.score_real=false`)
    stays, with null.
    """
    judged = scored.where(F.col("source") == "real").select(
        "user_id", "item_id", F.col("p_yes").alias("judged")
    )
    return (
        real.join(judged, ["user_id", "item_id"], "left")
        .where(F.col("judged").isNull() | (F.col("judged") >= least))
        .select(
            "user_id",
            "item_id",
            "weight",
            "source",
            F.col("judged").alias("confidence"),
            "ts",
            "position",
        )
    )


def score_confidence(scored: DataFrame) -> DataFrame:
    """The candidates with their calibrated confidence: `user_id, item_id, confidence`."""
    return scored.where(F.col("source") == "synthetic").select("user_id", "item_id", "confidence")


def generator_confidence(candidates: DataFrame) -> DataFrame:
    """The candidates with the generator's own probability as confidence: `user_id, item_id,
    confidence`.
    """
    return candidates.select("user_id", "item_id", F.exp("log_prob").alias("confidence"))


def soft_rows(pairs: DataFrame, scale: float, min_weight: float) -> DataFrame:
    """Mode `soft`: every pair joins with weight min(1, confidence / scale); those lighter than
    `min_weight` are left out.
    """
    weight = F.least(F.lit(1.0), F.col("confidence") / F.lit(float(scale)))
    return _synthetic(pairs, weight).where((F.col("weight") >= min_weight) & (F.col("weight") > 0))


def confident_rows(pairs: DataFrame, threshold: float) -> DataFrame:
    """Mode `threshold` (the published one): pairs of at least this confidence join with weight 1,
    the others not at all.
    """
    return _synthetic(pairs.where(F.col("confidence") >= threshold), F.lit(1.0))


def yes_rows(scored: DataFrame) -> DataFrame:
    """Every candidate that the discriminator answers with Yes, with weight 1: the published
    ablation without a threshold.
    """
    return confident_rows(score_confidence(scored.where(F.col("decision"))), 0.0)


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
