"""Dense indices for items: the dictionary between their ids and int32, made for each computation.

An index goes by the length of the id and then its text, so equal similarities are ordered the same
however the rows came, and the order of two items is the same in every log that has both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.kernels.arrays import Int32Array, Int64Array, UInt32Array

BROADCAST_ITEMS = 5_000_000


@dataclass(frozen=True)
class ItemIds:
    """The items of a computation, by index.

    Attributes:
        table: `item_id, item_idx`, with what it was collected from.
        clicks: (items,) interactions of each item.
        hashes: (items,) 32-bit hash of id and seed, for hash sampling.
        seed: of the hashes.
        id_hashes: (items,) 64-bit hashes of the ids, ascending.
        index_of_hash: (items,) the item index of each of `id_hashes`.
    """

    table: DataFrame
    clicks: Int64Array
    hashes: Int32Array
    seed: int
    id_hashes: Int64Array
    index_of_hash: UInt32Array


def build_item_ids(encoded: DataFrame, seed: int) -> DataFrame:
    """The items of a log with their indices, by the length of the id and then its text: for plain
    integers by their value.

    One task does the sorting, of items alone; it spills to disk where they are many.

    Args:
        encoded: from `encode_rows`.
        seed: of the hashes.

    Returns:
        `item_id string, item_idx int, clicks bigint, hash int, id_hash bigint`, indices from 0
        without gaps.
    """
    counted = encoded.select(F.explode(F.arrays_zip("items", "clicks")).alias("item"))
    clicks = counted.groupBy(F.col("item.items").alias("item_id")).agg(
        F.sum("item.clicks").alias("clicks")
    )
    return clicks.select(
        "item_id",
        item_index().alias("item_idx"),
        "clicks",
        F.hash("item_id", F.lit(seed)).alias("hash"),
        _id_hash("item_id", seed).alias("id_hash"),
    )


def item_index() -> Column:
    """The index of each `item_id` of a frame that has it once: by the length of the id and then its
    text.
    """
    return F.row_number().over(Window.orderBy(F.length("item_id"), "item_id")) - 1


def dictionary_hashes(ids: str, seed: int) -> Column:
    """64 bits of each id of a column of arrays; `collect_item_ids` sees to it that no two items
    share them.
    """
    return F.transform(ids, lambda item_id: _id_hash(item_id, seed))


def _id_hash(item_id: str | Column, seed: int) -> Column:
    return F.xxhash64(F.lit(seed), item_id)


def collect_item_ids(table: DataFrame, seed: int) -> ItemIds:
    """Read what the driver must know of the items, 36 bytes each.

    Args:
        table: from `build_item_ids`.
        seed: that it was made with.

    Raises:
        ConfigError: two ids share all 64 bits of their hash; of 68 million items some do with a
            probability of one in 8,000.
    """
    rows = table.select("item_idx", "clicks", "hash", "id_hash").toArrow()
    by_index = np.argsort(rows["item_idx"].to_numpy())
    clicks, hashes, id_hashes = (
        rows[name].to_numpy()[by_index] for name in ("clicks", "hash", "id_hash")
    )
    index_of_hash = np.argsort(id_hashes).astype(np.uint32)
    id_hashes = id_hashes[index_of_hash]
    if (id_hashes[1:] == id_hashes[:-1]).any():
        raise ConfigError(
            f"Two items of this log share a hash under seed={seed}; run again with another seed."
        )
    return ItemIds(table, clicks, hashes, seed, id_hashes, index_of_hash)


def to_join(items: DataFrame, number: int) -> DataFrame:
    """A table of items as a join takes it best: broadcast where they are few enough for that."""
    return F.broadcast(items) if number <= BROADCAST_ITEMS else items


def restore_item_ids(
    similar: DataFrame, items: DataFrame, number: int, more: Sequence[str] = ()
) -> DataFrame:
    """Indices back to ids: `item_id, neighbor_id, similarity, support, synthetic_share`.

    Args:
        similar: `item, neighbor, similarity, support, synthetic_share`, from an engine.
        items: `item_id, item_idx`.
        number: of items.
        more: further columns that stay.
    """
    ids = to_join(items.select("item_id", "item_idx"), number)
    # The same columns under the same names: Spark ships one table for both joins.
    own, other = ids.alias("own"), ids.alias("other")
    named = similar.join(own, F.col("own.item_idx") == similar["item"]).join(
        other, F.col("other.item_idx") == similar["neighbor"]
    )
    return named.select(
        F.col("own.item_id").alias("item_id"),
        F.col("other.item_id").alias("neighbor_id"),
        "similarity",
        "support",
        "synthetic_share",
        *more,
    )
