"""What some backbones must know of the whole log beside the lists: sums by item."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.item_ids import Items

BACKBONES = ("item_knn", "bm25")
"""Those that need them; a row of theirs can change with any click of any neighbour."""


def _none() -> npt.NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True)
class Statistics:
    """Of one variant; empty for backbones that need none.

    Attributes:
        squares: sum of squared edge weights, by item number.
        totals: sum of edge weights, by item number.
    """

    squares: npt.NDArray[np.float64] = field(default_factory=_none)
    totals: npt.NDArray[np.float64] = field(default_factory=_none)


def measure_items(rows: DataFrame, items: Items) -> Statistics:
    """Sums over the rows of one variant.

    Args:
        rows: of the `fused` contract, of one variant.
        items: the numbers.
    """
    # Sums of doubles depend on the order in which the rows come, sums of decimals do not.
    exact = (
        F.col("weight").cast("decimal(20,18)"),
        (F.col("weight") * F.col("weight")).cast("decimal(20,18)"),
    )
    total, squares = (F.sum(value).cast("double") for value in exact)
    sums = rows.groupBy("item_id").agg(total.alias("total"), squares.alias("squares"))
    found = (
        items.table.select("item_id", "item")
        .join(sums, "item_id", "left")
        .drop("item_id")
        .na.fill(0.0)
        .toArrow()
    )
    by_number = np.argsort(found["item"].to_numpy())
    return Statistics(found["squares"].to_numpy()[by_number], found["total"].to_numpy()[by_number])
