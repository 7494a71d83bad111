"""Numbers back to ids: what an engine found as rows of the contract."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def name_items(similar: DataFrame, items: DataFrame, variant: str, backbone: str) -> DataFrame:
    """Rows of the `item_similarity` contract.

    Args:
        similar: `item, neighbor, similarity, support, synthetic_share`, from an engine.
        items: rows of `item_numbers`.
    """
    of_item = items.select("item_id", "item")
    of_neighbor = items.select(F.col("item_id").alias("neighbor_id"), F.col("item").alias("neighbor"))
    named = similar.join(F.broadcast(of_item), "item").join(F.broadcast(of_neighbor), "neighbor")
    about = (F.lit(variant).alias("variant"), F.lit(backbone).alias("backbone"))
    return named.select(*about, "item_id", "neighbor_id", "similarity", "support", "synthetic_share")
