"""What some backbones must know of the whole log beside the users' rows: sums over each item."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.item_ids import ItemIds
from llm_i2i_spark.kernels.arrays import Float64Array


def _empty() -> Float64Array:
    return np.empty(0)


@dataclass(frozen=True)
class ItemNorms:
    """Sums over all users of each item; empty for backbones that need none.

    Attributes:
        squares: (items,) sum of squared edge weights.
        totals: (items,) sum of edge weights.
    """

    squares: Float64Array = field(default_factory=_empty)
    totals: Float64Array = field(default_factory=_empty)


def measure_item_norms(rows: DataFrame, items: ItemIds) -> ItemNorms:
    """Sums over the rows.

    Args:
        rows: `user_id, item_id, weight`; a (user, item) stands once.
        items: the ids.
    """
    # Sums of doubles depend on the order in which the rows come, sums of decimals do not.
    exact = (
        F.col("weight").cast("decimal(20,18)"),
        (F.col("weight") * F.col("weight")).cast("decimal(20,18)"),
    )
    total, squares = (F.sum(value).cast("double") for value in exact)
    sums = rows.groupBy("item_id").agg(total.alias("total"), squares.alias("squares"))
    found = (
        items.table.select("item_id", "item_idx").join(sums, "item_id").drop("item_id").toArrow()
    )
    by_index = np.argsort(found["item_idx"].to_numpy())
    return ItemNorms(found["squares"].to_numpy()[by_index], found["total"].to_numpy()[by_index])
