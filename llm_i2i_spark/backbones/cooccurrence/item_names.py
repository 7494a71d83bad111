"""Numbers back to ids: what an engine found as rows of the contract."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.item_ids import Items, to_join


def name_items(similar: DataFrame, items: Items, variant: str, backbone: str) -> DataFrame:
    """Rows of the `item_similarity` contract.

    Args:
        similar: `item, neighbor, similarity, support, synthetic_share`, from an engine.
        items: the numbers.
    """
    # The same columns under the same names: Spark ships one table for both joins.
    own, other = to_join(items).alias("own"), to_join(items).alias("other")
    named = similar.join(own, F.col("own.item") == similar["item"]).join(
        other, F.col("other.item") == similar["neighbor"]
    )
    about = (F.lit(variant).alias("variant"), F.lit(backbone).alias("backbone"))
    ids = (F.col("own.item_id").alias("item_id"), F.col("other.item_id").alias("neighbor_id"))
    return named.select(*about, *ids, "similarity", "support", "synthetic_share")
