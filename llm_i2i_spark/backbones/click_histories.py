"""Every click with the clicks before it, for backbones that explain a click by those."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.item_ids import item_index


def count_items(interactions: DataFrame) -> DataFrame:
    """`item_id, item_idx int, rows bigint, clicks bigint`: all interactions of each item, and the
    real ones.
    """
    real = F.count_if(F.col("source") == "real")
    counted = interactions.groupBy("item_id").agg(F.count("*").alias("rows"), real.alias("clicks"))
    return counted.withColumn("item_idx", item_index().cast("int"))


def clicks_with_history(interactions: DataFrame, items: DataFrame, history: int) -> DataFrame:
    """Every click that has one before it, and those before it, oldest first: `target int, weight
    double, sources array<int>, source_weights array<double>`.
    """
    real = interactions.where((F.col("source") == "real") & F.col("position").isNotNull())
    before = (
        Window.partitionBy("user_id")
        .orderBy("position", "item_idx")
        .rowsBetween(-history, Window.currentRow - 1)
    )
    indexed = real.join(items.select("item_id", "item_idx"), "item_id")
    lists = indexed.select(
        F.col("item_idx").alias("target"),
        "weight",
        F.collect_list("item_idx").over(before).alias("sources"),
        F.collect_list("weight").over(before).alias("source_weights"),
    )
    return lists.where(F.size("sources") > 0)
