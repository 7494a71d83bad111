"""What some backbones must know of the whole log beside the lists: sums by item and over all users."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.i2i.numbering import Items

BACKBONES = ("item_knn", "bm25")
"""Those that need them; a row of theirs can change with any click of any neighbour."""


def _none() -> npt.NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True)
class Statistics:
    """Of one variant; empty for backbones that need none.

    Attributes:
        squares: sum of squared edge weights, by item number.
        clicks: users, by item number.
        users: of all lists, those of one item included.
        mean_total: the mean over users of the sum of their edge weights.
    """

    squares: npt.NDArray[np.float64] = field(default_factory=_none)
    clicks: npt.NDArray[np.float64] = field(default_factory=_none)
    users: int = 0
    mean_total: float = 0.0


def measure_items(rows: DataFrame, items: Items) -> Statistics:
    """Sums over the rows of one variant.

    Args:
        rows: of the `fused` contract, of one variant.
        items: the numbers.
    """
    sums = rows.groupBy("item_id").agg(
        F.count("*").cast("double").alias("clicks"),
        F.sum("weight").alias("total"),
        F.sum(F.col("weight") * F.col("weight")).alias("squares"),
    )
    found = items.table.select("item_id", "item").join(sums, "item_id", "left").drop("item_id").na.fill(0.0).toArrow()
    by_number = np.argsort(found["item"].to_numpy())
    squares, clicks, totals = (found[name].to_numpy()[by_number] for name in ("squares", "clicks", "total"))
    users = rows.select("user_id").distinct().count()
    return Statistics(squares, clicks, users, float(totals.sum()) / max(users, 1))
