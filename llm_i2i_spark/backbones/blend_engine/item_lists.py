"""Similarities as lists of probabilities, a row an item, and products of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.item_ids import to_join
from llm_i2i_spark.kernels.list_product import sum_lists
from llm_i2i_spark.lake.grouped_map import map_each

LISTS = "item int, neighbors array<int>, values array<double>"
ITEMS_PER_TASK = 4096


def pack_lists(similar: DataFrame, ids: DataFrame, size: int, top_k: int) -> DataFrame:
    """The best neighbours of every item as one row, scaled to sum 1.

    Args:
        similar: `item_id, neighbor_id, similarity`, above 0.
        ids: `item_id, item_idx`.
        size: number of items.
        top_k: longest list.

    Returns:
        Columns `LISTS`, best first, equal ones by index.
    """
    known = to_join(ids, size)
    own = known.select("item_id", F.col("item_idx").alias("item"))
    other = known.select(F.col("item_id").alias("neighbor_id"), F.col("item_idx").alias("neighbor"))
    entry = F.struct((-F.col("similarity")).alias("minus"), "neighbor")
    lists = (
        similar.join(own, "item_id")
        .join(other, "neighbor_id")
        .groupBy("item")
        .agg(F.slice(F.sort_array(F.collect_list(entry)), 1, top_k).alias("entries"))
    )
    total = F.aggregate("entries", F.lit(0.0), lambda so_far, one: so_far - one["minus"])
    return lists.withColumn("total", total).select(
        "item",
        F.transform("entries", lambda one: one["neighbor"]).alias("neighbors"),
        F.transform("entries", lambda one: -one["minus"] / F.col("total")).alias("values"),
    )


def multiply_lists(
    left: DataFrame, right: DataFrame, size: int, longest: int, top_k: int
) -> DataFrame:
    """The product of two matrices of lists: for each item the lists of its neighbours, weighted.

    Args:
        left: columns `LISTS`.
        right: columns `LISTS`.
        size: number of items.
        longest: entries of a list, the best ones, that count on either side.
        top_k: longest list of the result.

    Returns:
        Columns `LISTS`; rows sum to 1, no item is in its own.
    """
    steps = left.select(
        "item", F.explode(F.slice(F.arrays_zip("neighbors", "values"), 1, longest)).alias("step")
    ).select("item", F.col("step.neighbors").alias("through"), F.col("step.values").alias("weight"))
    short = right.select(
        F.col("item").alias("through"),
        F.slice("neighbors", 1, longest).alias("neighbors"),
        F.slice("values", 1, longest).alias("values"),
    )
    tasks = max(1, -(-size // ITEMS_PER_TASK))
    rows = steps.join(to_join(short, size), "through").withColumn(
        "task", F.pmod("item", F.lit(tasks)).cast("int")
    )
    return map_each(rows, "task", tasks, partial(sum_batches, top_k=top_k), LISTS)


def sum_batches(batches: Iterator[pa.RecordBatch], top_k: int) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the weighted lists of some items to their sums."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received).combine_chunks()
    items, through = table["item"].to_numpy(), table["through"].to_numpy()
    table = table.take(pa.array(np.lexsort((through, items))))
    neighbors, values = (table[name].combine_chunks() for name in ("neighbors", "values"))
    lengths = np.diff(neighbors.offsets.to_numpy())
    found, indptr, best, sums = sum_lists(
        table["item"].to_numpy(),
        table["weight"].to_numpy(),
        np.r_[0, np.cumsum(lengths)].astype(np.int64),
        neighbors.flatten().to_numpy(),
        values.flatten().to_numpy(),
        top_k,
    )
    offsets = pa.array(indptr.astype(np.int32))
    yield pa.RecordBatch.from_pydict(
        {
            "item": found,
            "neighbors": pa.ListArray.from_arrays(offsets, pa.array(best)),
            "values": pa.ListArray.from_arrays(offsets, pa.array(sums)),
        }
    )
