"""Dense numbers for items, kept as the table `item_numbers`: the dictionary between the ids of every edge and int32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

BROADCAST_ITEMS = 5_000_000


@dataclass(frozen=True)
class Items:
    """The numbered items of a run.

    Attributes:
        table: rows of the `item_numbers` contract.
        clicks: by number, the rows of the item in the variant that has most.
        lots: by number, a hash of id and seed, for the lotteries by which caps choose.
    """

    table: DataFrame
    clicks: npt.NDArray[np.int64]
    lots: npt.NDArray[np.int32]


def number_items(fused: DataFrame, variants: Sequence[str], seed: int) -> DataFrame:
    """The items of all variants, numbered by the length of the id and then its text: for plain integers by their value.

    Equal similarities are ordered by item number, so it must not depend on how the rows came. One task does the sorting, of
    items alone; it spills to disk where they are many.

    Args:
        fused: the contract's rows, of all variants, so that they share the numbers.
        variants: which there are.
        seed: of the lots.

    Returns:
        Rows of the `item_numbers` contract, numbers from 0 without gaps.
    """
    in_variants = [F.count_if(F.col("variant") == variant) for variant in variants]
    clicks = F.greatest(*in_variants) if len(variants) > 1 else F.count("*")
    counted = fused.groupBy("item_id").agg(clicks.alias("clicks"))
    number = F.row_number().over(Window.orderBy(F.length("item_id"), "item_id")) - 1
    return counted.select("item_id", number.alias("item"), "clicks", F.hash("item_id", F.lit(seed)).alias("lot"))


def collect_items(table: DataFrame) -> Items:
    """Read what the driver must know of the items, 12 bytes each.

    Args:
        table: rows of the `item_numbers` contract.
    """
    rows = table.select("item", "clicks", "lot").toArrow()
    clicks, lots = np.empty(rows.num_rows, np.int64), np.empty(rows.num_rows, np.int32)
    clicks[rows["item"].to_numpy()] = rows["clicks"].to_numpy()
    lots[rows["item"].to_numpy()] = rows["lot"].to_numpy()
    return Items(table, clicks, lots)


def to_join(items: Items, *columns: str | Column) -> DataFrame:
    """Columns of the dictionary, broadcast where it is small enough for that."""
    chosen = items.table.select(*columns)
    return F.broadcast(chosen) if len(items.clicks) <= BROADCAST_ITEMS else chosen


def count_clicks(rows: DataFrame, items: Items) -> Items:
    """The items with the clicks of these rows alone.

    Args:
        rows: of the `fused` contract, of one variant.
        items: the numbers.
    """
    counted = rows.groupBy("item_id").agg(F.count("*").alias("n"))
    found = items.table.select("item_id", "item").join(counted, "item_id").select("item", "n").toArrow()
    clicks = np.zeros(len(items.clicks), np.int64)
    clicks[found["item"].to_numpy()] = found["n"].to_numpy()
    return replace(items, clicks=clicks)
