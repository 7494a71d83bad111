"""Synthetic interactions attributed to what their users clicked, in Spark: a join on the user and a
sum for each pair of items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.attribution import Attribution

UNITS = 2.0**40
"""A sum of whole numbers of 2^-40 is the same to the bit in any order."""


def attribute(backbone: Attribution, interactions: DataFrame) -> DataFrame:
    """The similarities of all items; `Backbone.compute` has the contract.

    Args:
        backbone: the parameters.
        interactions: of `Backbone.compute`; synthetic ones count by `confidence`, where there is
            such a column, else by weight.
    """
    sums = (
        attributed_clicks(backbone, interactions)
        .groupBy("item_id", "neighbor_id")
        .agg(F.sum("units").alias("units"), F.count("*").cast("int").alias("support"))
        .where(F.col("units") > 0)
    )
    of_item = Window.partitionBy("item_id")
    best = of_item.orderBy(F.desc("units"), F.length("neighbor_id"), "neighbor_id")
    ranked = sums.withColumns(
        {"total": F.sum("units").over(of_item), "rank": F.row_number().over(best)}
    )
    return ranked.where(F.col("rank") <= backbone.top_k).select(
        "item_id",
        "neighbor_id",
        (F.col("units") / F.col("total")).alias("similarity"),
        "support",
        F.lit(1.0).alias("synthetic_share"),
    )


def attributed_clicks(backbone: Attribution, interactions: DataFrame) -> DataFrame:
    """What each user adds to each pair of items, before sums and scaling.

    Args:
        backbone: the parameters.
        interactions: as in `attribute`; all of each user's.

    Returns:
        `user_id, item_id, neighbor_id, units`: the user clicked the item lately and has the
        neighbour as a synthetic interaction; units: w(i | u) confidence(u, j) ** exponent, in
        `UNITS`.
    """
    named = "confidence" in interactions.columns
    confidence = F.coalesce("confidence", "weight") if named else F.col("weight")
    proposed = interactions.where(F.col("source") != "real").select(
        "user_id",
        F.col("item_id").alias("neighbor_id"),
        F.pow(confidence, F.lit(backbone.confidence_exponent)).alias("worth"),
    )
    user = Window.partitionBy("user_id")
    age = F.row_number().over(user.orderBy(F.desc("position"), "item_id")) - 1
    real = interactions.where((F.col("source") == "real") & F.col("position").isNotNull())
    recent = (
        real.withColumn("age", age)
        .where(F.col("age") < backbone.history)
        .withColumn("part", F.col("weight") * F.pow(F.lit(backbone.decay), F.col("age")))
    )
    # Summed up by age, so that the sum is the same to the bit.
    by_age = user.orderBy("age").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    share = F.col("part") / F.sum("part").over(by_age)
    clicks = recent.select("user_id", "item_id", share.alias("share"))
    units = F.round(F.col("share") * F.col("worth") * F.lit(UNITS)).cast("bigint")
    return (
        clicks.join(proposed, "user_id")
        .where(F.col("item_id") != F.col("neighbor_id"))
        .select("user_id", "item_id", "neighbor_id", units.alias("units"))
    )
