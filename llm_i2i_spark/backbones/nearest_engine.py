"""The nearest items by their features, in Spark: of texts, or learned from interactions.

A task compares a block of items with all items. Features travel as int16, once to every block, and
there are no more blocks than tasks need: what a task returns are the best neighbours of its items,
so that no other pair is ever a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.backbones.cooccurrence.item_ids import item_index, restore_item_ids, to_join
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.kernels.nearest_rows import nearest_rows, quantize
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.frames import require_columns
from llm_i2i_spark.lake.grouped_map import map_each

ITEMS_PER_BLOCK = 16_384
SCORE_BYTES = 128 * 2**20
"""Of the cosines that a task holds at a time."""
QUANTIZED = "item_id string, features binary"
NEAREST = "item int, neighbor int, cosine double"


@dataclass(frozen=True)
class NearestTask:
    """What every task is given.

    Attributes:
        items: number of items, all blocks together.
        blocks: number of blocks.
        dims: numbers an item.
        top_k: most neighbours of an item.
        least: cosine that a neighbour must exceed.
    """

    items: int
    blocks: int
    dims: int
    top_k: int
    least: float

    def bounds(self, block: int) -> tuple[int, int]:
        """The first item of a block, and the first after it."""
        return self.items * block // self.blocks, self.items * (block + 1) // self.blocks


def find_nearest(
    features: DataFrame,
    run: BackboneRun,
    *,
    top_k: int,
    exponent: float = 1.0,
    least_similarity: float = 0.0,
) -> DataFrame:
    """The nearest items of every item, S(i, j) = cos(x_i, x_j)^exponent; `Backbone.compute` has the
    contract of the result.

    Args:
        features: `item_id, features`; rows whose features are null or all zero do not count.
        run: where to keep intermediate results, and how many blocks.
        top_k: most neighbours of an item.
        exponent: the cosine is raised to it.
        least_similarity: cosine that a neighbour must exceed, at least 0.

    Raises:
        InputDataError: a column is missing, an item stands twice, or features do not fit.
    """
    dims = _check(features)
    known = features.where(F.exists("features", lambda value: value != 0)).select(
        F.col("item_id").cast("string").alias("item_id"), F.col("features").cast("array<float>")
    )
    # One task orders the items, so by their ids alone.
    indexed = known.select("item_id", item_index().cast("int").alias("item_idx"))
    items = run.staged(indexed, "item ids")
    number = items.count()
    quantized = known.mapInArrow(quantize_batches, QUANTIZED)
    joined = quantized.join(to_join(items, number), "item_id").select("item_idx", "features")
    rows = run.staged(joined, "features")
    # At least four tasks a core, so that no core waits long for the last one.
    most = max(4 * cores(rows.sparkSession), ceil(number / ITEMS_PER_BLOCK))
    blocks = max(min(run.options.blocks or most, number), 1)
    task = NearestTask(number, blocks, dims, top_k, least_similarity)
    sent = rows.select(
        F.explode(F.sequence(F.lit(0), F.lit(blocks - 1))).alias("block"), "item_idx", "features"
    )
    nearest = map_each(sent, "block", blocks, partial(nearest_in_block, task=task), NEAREST)
    similar = nearest.select(
        "item",
        "neighbor",
        F.pow("cosine", F.lit(exponent)).alias("similarity"),
        F.lit(None).cast("int").alias("support"),
        F.lit(0.0).alias("synthetic_share"),
    )
    # A small cosine to a high power may be no number above 0.
    return restore_item_ids(similar.where(F.col("similarity") > 0), items, number)


def _check(features: DataFrame) -> int:
    """How many numbers an item has; 0 where there is no item.

    Raises:
        InputDataError: a column is missing, an item stands twice, or features do not fit.
    """
    require_columns(features, ("item_id", "features"), "The features")
    infinite = float("inf")
    fit = F.forall(
        "features",
        lambda value: value.isNotNull() & ~F.isnan(value) & (F.abs(value) < infinite),
    )
    found = features.agg(
        F.count("item_id").alias("items"),
        F.count_distinct("item_id").alias("distinct"),
        F.count_if(~fit).alias("odd"),
        F.min(F.size("features")).alias("least"),
        F.max(F.size("features")).alias("most"),
    ).first()
    assert found is not None
    if found["items"] != found["distinct"]:
        raise InputDataError(
            f"{found['items'] - found['distinct']:,} rows of the features name an item that has"
            " others; keep one row an item."
        )
    if found["odd"] or found["least"] != found["most"]:
        raise InputDataError(
            f"The features have from {found['least']} to {found['most']} numbers an item, and"
            f" {found['odd']:,} items have some that are null or not finite; give every item as"
            " many finite numbers."
        )
    return cast(int, found["most"] or 0)


def quantize_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: features to the bytes of their rows of int16."""
    for batch in batches:
        if batch.num_rows:
            flat = pc.list_flatten(batch.column("features")).to_numpy(zero_copy_only=False)
            rows = quantize(flat.reshape(batch.num_rows, -1))
            yield pa.RecordBatch.from_pydict(
                {"item_id": batch.column("item_id"), "features": [row.tobytes() for row in rows]}
            )


def nearest_in_block(
    batches: Iterator[pa.RecordBatch], task: NearestTask
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers, once a block: the features of all items to the nearest items
    of each item of the block.
    """
    matrix = np.empty((task.items, task.dims), np.float32)
    block = None
    for batch in batches:
        if batch.num_rows:
            block = batch.column("block")[0].as_py()
            packed = b"".join(batch.column("features").to_pylist())
            rows = np.frombuffer(packed, np.int16).reshape(batch.num_rows, task.dims)
            matrix[batch.column("item_idx").to_numpy()] = rows
    if block is None:
        return
    first, end = task.bounds(block)
    step = max(SCORE_BYTES // (4 * task.items), 1)
    for start in range(first, end, step):
        found = nearest_rows(matrix, start, min(start + step, end), task.top_k, task.least)
        columns = zip(("item", "neighbor", "cosine"), found, strict=True)
        yield pa.RecordBatch.from_pydict(dict(columns))
