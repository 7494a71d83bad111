"""What both engines start from and end with: numbered items, users' lists with caps, and rows with names again.

Swing sums products of doubles, and a sum depends on its order. So everything that could order it is fixed here by the ids
themselves: users by the text of their id, items by the length of their id and then its text (for plain integers that is
the order of numbers), and what a cap keeps by a hash of user, item and seed. Partitions and row order have no part in it.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.base.config import SwingConfig
from llm_i2i_spark.i2i.agreement import CAPPED, SYNTHETIC

BACKBONE = "swing"


def number_items(fused: DataFrame) -> DataFrame:
    """Dense numbers for items: `item_id, item int`, from 0, by the length of the id and then its text.

    Args:
        fused: rows with `item_id`, of all variants, so that they share the numbers.
    """
    in_order = Window.orderBy(F.length("item_id"), "item_id")
    items = fused.select("item_id").distinct()
    return items.select("item_id", (F.row_number().over(in_order) - 1).alias("item"))


def measure_users(fused: DataFrame) -> DataFrame:
    """How long the lists are: `variant, users, longest, squared` (sum of squared list lengths), a row a variant."""
    lengths = fused.groupBy("variant", "user_id").agg(F.count("*").alias("length"))
    squared = F.sum(F.col("length").cast("double") * F.col("length")).alias("squared")
    return lengths.groupBy("variant").agg(F.count("*").alias("users"), F.max("length").alias("longest"), squared)


def user_lists(fused: DataFrame, variant: str, items: DataFrame, swing: SwingConfig, seed: int) -> DataFrame:
    """The list of every user of a variant with at least two items.

    A repeated (user, item) counts once: the real row before a synthetic one, then the heavier. `max_items_per_user` cuts
    a list before anything is counted. `max_users_per_item` cuts no list: it marks which users an item's own row is summed
    over, so a popular item still shows up in full among the neighbours of others.

    Args:
        fused: the contract's rows.
        items: `item_id, item`, from `number_items`.
        swing: a1 and b for the user weights, and the caps.
        seed: of the hash by which caps choose.

    Returns:
        `user_id, user_weight double, edges array<struct<item int, weight double, marks tinyint>>`, edges by item;
        user_weight = (a1 + sum of the list's edge weights)^-b; marks are the bits SYNTHETIC and CAPPED of the kernel.
    """
    edges = _distinct_edges(fused.where(F.col("variant") == variant))
    if swing.max_items_per_user is not None:
        edges = edges.withColumn("drawn", _drawn("user_id", seed)).where(F.col("drawn") <= swing.max_items_per_user)
    marks = F.when(F.col("real"), 0).otherwise(SYNTHETIC)
    if swing.max_users_per_item is not None:
        edges = edges.withColumn("drawn", _drawn("item_id", seed))
        marks += F.when(F.col("drawn") > swing.max_users_per_item, CAPPED).otherwise(0)
    edges = edges.withColumn("marks", marks.cast("tinyint"))
    edge = F.struct("item", "weight", "marks")
    lists = edges.join(F.broadcast(items), "item_id").groupBy("user_id").agg(F.sort_array(F.collect_list(edge)).alias("edges"))
    total = F.aggregate("edges", F.lit(0.0), lambda sum_so_far, e: sum_so_far + e["weight"])
    user_weight = F.pow(F.lit(swing.a1) + total, F.lit(-swing.b))
    return lists.where(F.size("edges") >= 2).select("user_id", user_weight.alias("user_weight"), "edges")


def _distinct_edges(rows: DataFrame) -> DataFrame:
    """One row a (user, item): `user_id, item_id, weight, real`. All that follows by user stays in this one exchange."""
    edge = F.struct((F.col("source") == "real").alias("real"), "weight")
    best = rows.repartition("user_id").groupBy("user_id", "item_id").agg(F.max(edge).alias("edge"))
    return best.select("user_id", "item_id", "edge.weight", "edge.real")


def _drawn(group: str, seed: int) -> Column:
    """The place of a row in its group's lottery, from 1: order by hash(user, item, seed), ids where hashes are equal."""
    lottery = F.xxhash64("user_id", "item_id", F.lit(seed))
    return F.row_number().over(Window.partitionBy(group).orderBy(lottery, "user_id", "item_id"))


def name_items(similar: DataFrame, items: DataFrame, variant: str) -> DataFrame:
    """Numbers back to ids: rows of the `item_similarity` contract.

    Args:
        similar: `item, neighbor, similarity, support, synthetic_share`, from an engine.
        items: `item_id, item`, from `number_items`.
    """
    of_item = F.broadcast(items)
    of_neighbor = F.broadcast(items.select(F.col("item_id").alias("neighbor_id"), F.col("item").alias("neighbor")))
    named = similar.join(of_item, "item").join(of_neighbor, "neighbor")
    about = (F.lit(variant).alias("variant"), F.lit(BACKBONE).alias("backbone"))
    return named.select(*about, "item_id", "neighbor_id", "similarity", "support", "synthetic_share")
