"""Dense numbers for items, kept as the table `item_numbers`: the dictionary between the ids of
every edge and int32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError

BROADCAST_ITEMS = 5_000_000


@dataclass(frozen=True)
class Items:
    """The numbered items of a run.

    Attributes:
        table: rows of the `item_numbers` contract.
        clicks: by number, the rows of the item in the variant that has most.
        lots: by number, a hash of id and seed, for the lotteries by which caps choose.
        seed: of the hashes.
        hashes: of the ids, 64 bits, ascending.
        by_hash: the numbers, in that order.
    """

    table: DataFrame
    clicks: npt.NDArray[np.int64]
    lots: npt.NDArray[np.int32]
    seed: int
    hashes: npt.NDArray[np.int64]
    by_hash: npt.NDArray[np.uint32]


def number_items(chunks: Mapping[str, DataFrame], seed: int) -> DataFrame:
    """The items of all variants, numbered by the length of the id and then its text: for plain
    integers by their value.

    Equal similarities are ordered by item number, so it must not depend on how the rows came. One
    task does the sorting, of items alone; it spills to disk where they are many.

    Args:
        chunks: of every variant, so that they share the numbers.
        seed: of the lots.

    Returns:
        Rows of the `item_numbers` contract, numbers from 0 without gaps.
    """
    counted = [
        _count_clicks(own).withColumn("variant", F.lit(variant)) for variant, own in chunks.items()
    ]
    clicks = (
        reduce(DataFrame.unionByName, counted)
        .groupBy("item_id")
        .agg(F.max("clicks").alias("clicks"))
    )
    number = F.row_number().over(Window.orderBy(F.length("item_id"), "item_id")) - 1
    return clicks.select(
        "item_id", number.alias("item"), "clicks", F.hash("item_id", F.lit(seed)).alias("lot")
    )


def _count_clicks(chunks: DataFrame) -> DataFrame:
    """Rows by item of one variant, from the dictionaries of its chunks."""
    counted = chunks.select(F.explode(F.arrays_zip("items", "clicks")).alias("item"))
    return counted.groupBy(F.col("item.items").alias("item_id")).agg(
        F.sum("item.clicks").alias("clicks")
    )


def item_hashes(ids: str, seed: int) -> Column:
    """64 bits of each id of a column of arrays; `collect_items` sees to it that no two items of a
    run share them.
    """
    return F.transform(ids, lambda item_id: _hashed(item_id, seed))


def _hashed(item_id: str | Column, seed: int) -> Column:
    return F.xxhash64(F.lit(seed), item_id)


def collect_items(table: DataFrame, seed: int) -> Items:
    """Read what the driver must know of the items, 36 bytes each.

    Args:
        table: rows of the `item_numbers` contract.
        seed: that it was made with.

    Raises:
        UserError: two ids share all 64 bits of their hash; of 68 million items some do with a
            probability of one in 8,000.
    """
    rows = table.select("item", "clicks", "lot", _hashed("item_id", seed).alias("hash")).toArrow()
    by_number = np.argsort(rows["item"].to_numpy())
    clicks, lots, hashes = (rows[name].to_numpy()[by_number] for name in ("clicks", "lot", "hash"))
    by_hash = np.argsort(hashes).astype(np.uint32)
    hashes = hashes[by_hash]
    if (hashes[1:] == hashes[:-1]).any():
        raise UserError(
            f"Two items of this log share a hash under seed={seed}; run again with another seed."
        )
    return Items(table, clicks, lots, seed, hashes, by_hash)


def to_join(items: Items) -> DataFrame:
    """The dictionary, `item_id, item`, broadcast where it is small enough for that."""
    chosen = items.table.select("item_id", "item")
    return F.broadcast(chosen) if len(items.clicks) <= BROADCAST_ITEMS else chosen


def count_clicks(chunks: DataFrame, items: Items) -> Items:
    """The items with the clicks of one variant alone.

    Args:
        chunks: of the variant.
        items: the numbers.
    """
    found = (
        items.table.select("item_id", "item")
        .join(_count_clicks(chunks), "item_id")
        .select("item", "clicks")
        .toArrow()
    )
    clicks = np.zeros(len(items.clicks), np.int64)
    clicks[found["item"].to_numpy()] = found["clicks"].to_numpy()
    return replace(items, clicks=clicks)
