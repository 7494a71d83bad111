"""What every task knows of all items: 36 bytes each, gathered once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.item_ids import item_index
from llm_i2i_spark.kernels.arrays import Int32Array, Int64Array
from llm_i2i_spark.kernels.pair_features import CatalogueArrays

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class Catalogue:
    """The items of the log and of the catalogue.

    Attributes:
        ids: `item_id string, item_idx int`, indices from 0 without gaps.
        arrays: what is known of each, by index.
    """

    ids: DataFrame
    arrays: CatalogueArrays

    @property
    def size(self) -> int:
        """How many items."""
        return len(self.arrays.clicks)


def count_items(interactions: DataFrame, items: DataFrame | None) -> DataFrame:
    """One row an item of the log or the catalogue, `item_id, item_idx int, clicks bigint, seconds
    bigint` (sum over its clicks since 1970), `brand_hash, category_hash bigint` (null without one).

    Args:
        interactions: of `Backbone.compute`; the time counts where there is a column `ts`.
        items: table `items`; None where there is no catalogue.
    """
    real = F.col("source") == "real"
    has_times = "ts" in interactions.columns
    second = F.unix_seconds("ts") if has_times else F.lit(None).cast("bigint")
    counted = interactions.groupBy("item_id").agg(
        F.count_if(real).alias("clicks"), F.sum(F.when(real, second)).alias("seconds")
    )
    if items is not None:
        known = items.select(
            "item_id",
            _word_hash("brand").alias("brand_hash"),
            _word_hash("category").alias("category_hash"),
        )
        counted = counted.join(known, "item_id", "full")
    else:
        nothing = F.lit(None).cast("bigint")
        counted = counted.withColumns({"brand_hash": nothing, "category_hash": nothing})
    return counted.withColumns(
        {"item_idx": item_index().cast("int"), "clicks": F.coalesce("clicks", F.lit(0))}
    )


def collect_catalogue(counted: DataFrame) -> Catalogue:
    """Read what the tasks are given.

    Args:
        counted: rows of `count_items`, already computed.
    """
    read = counted.select("item_idx", "clicks", "seconds", "brand_hash", "category_hash").toArrow()
    order = np.argsort(read["item_idx"].to_numpy())
    clicks = read["clicks"].to_numpy()[order].astype(np.int64)
    # Nulls become NaN.
    seconds = read["seconds"].to_numpy()[order].astype(np.float64)
    timed = ~np.isnan(seconds) & (clicks > 0)
    day = np.zeros(len(clicks))
    if timed.any():
        day[:] = seconds[timed].sum() / clicks[timed].sum() / SECONDS_A_DAY
        day[timed] = seconds[timed] / clicks[timed] / SECONDS_A_DAY
    arrays = CatalogueArrays(
        clicks,
        _numbered(read["brand_hash"], order),
        _numbered(read["category_hash"], order),
        day,
    )
    return Catalogue(counted.select("item_id", "item_idx"), arrays)


def _word_hash(name: str) -> Column:
    word = F.lower(F.trim(F.col(name)))
    return F.when(word != "", F.xxhash64(word))


def _numbered(hashes: pa.ChunkedArray, order: Int64Array) -> Int32Array:
    """Equal hashes by one number; -1 for none."""
    codes = hashes.combine_chunks().dictionary_encode().indices
    found: Int32Array = codes.fill_null(-1).to_numpy()[order].astype(np.int32)
    return found
