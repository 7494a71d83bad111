"""Numbers back to ids: what an engine found as rows of the contract."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.i2i.numbering import Items, to_join


def name_items(similar: DataFrame, items: Items, variant: str, backbone: str) -> DataFrame:
    """Rows of the `item_similarity` contract.

    Args:
        similar: `item, neighbor, similarity, support, synthetic_share`, from an engine.
        items: the numbers.
    """
    of_neighbor = to_join(items, F.col("item_id").alias("neighbor_id"), F.col("item").alias("neighbor"))
    named = similar.join(to_join(items, "item_id", "item"), "item").join(of_neighbor, "neighbor")
    about = (F.lit(variant).alias("variant"), F.lit(backbone).alias("backbone"))
    return named.select(*about, "item_id", "neighbor_id", "similarity", "support", "synthetic_share")
