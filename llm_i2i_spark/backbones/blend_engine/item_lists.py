"""Similarities as lists of probabilities, a row an item, and products of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.blend_engine.arrow_lists import lists_of
from llm_i2i_spark.backbones.cooccurrence.item_ids import to_join
from llm_i2i_spark.kernels.arrays import run_starts
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
    rows = (
        similar.join(own, "item_id")
        .join(other, "neighbor_id")
        .select("item", "neighbor", F.col("similarity").cast("double"), _task(size))
    )
    return map_each(rows, "task", tasks_of(size), partial(pack_batches, top_k=top_k), LISTS)


def pack_batches(batches: Iterator[pa.RecordBatch], top_k: int) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the pairs of some items to their lists."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received)
    item, neighbor, value = (table[name].to_numpy() for name in ("item", "neighbor", "similarity"))
    order = np.lexsort((neighbor, -value, item))
    item = item[order]
    starts = np.flatnonzero(run_starts(item))
    lengths = np.diff(np.r_[starts, len(item)])
    rank = np.arange(len(item)) - np.repeat(starts, lengths)
    kept = order[rank < top_k]
    lengths = np.minimum(lengths, top_k)
    first = np.cumsum(lengths) - lengths
    totals = np.add.reduceat(value[kept], first)
    yield pa.RecordBatch.from_pydict(
        {
            "item": item[starts],
            "neighbors": lists_of(neighbor[kept], lengths),
            "values": lists_of(value[kept] / np.repeat(totals, lengths), lengths),
        }
    )


def tasks_of(size: int) -> int:
    """In how many tasks the lists of a catalogue are made."""
    return max(1, -(-size // ITEMS_PER_TASK))


def _task(size: int) -> Column:
    return F.pmod("item", F.lit(tasks_of(size))).cast("int").alias("task")


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
    rows = steps.join(to_join(short, size), "through").select("*", _task(size))
    return map_each(rows, "task", tasks_of(size), partial(sum_batches, top_k=top_k), LISTS)


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
    of_items = np.diff(indptr)
    yield pa.RecordBatch.from_pydict(
        {"item": found, "neighbors": lists_of(best, of_items), "values": lists_of(sums, of_items)}
    )
