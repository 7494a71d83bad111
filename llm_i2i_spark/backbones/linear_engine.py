"""Linear next-item regression, in Spark.

Tasks add up products of the clicks that they hold, Spark adds up the sums of all tasks by pair, in
whole numbers. What follows depends on the number of items: one matrix on the driver, or a small one
for each target in tasks that hold the sums of a block of targets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.backbones.click_histories import clicks_with_history, count_items
from llm_i2i_spark.backbones.cooccurrence.item_ids import restore_item_ids, to_join
from llm_i2i_spark.base.console import track
from llm_i2i_spark.kernels.ridge import (
    UNIT,
    best_targets,
    fill_gram,
    invert_in_place,
    solve_target,
    sum_products,
)
from llm_i2i_spark.lake.arrow_batches import stream_batches
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.grouped_map import map_each

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.linear import Linear

EVENTS_PER_SUM = 500_000
TARGETS_PER_BLOCK = 1_000
SOURCES_PER_STEP = 64
SUMS = "is_gram boolean, first int, second int, product bigint, clicks int"
SIMILAR = "item int, neighbor int, similarity double, support int"


@dataclass(frozen=True)
class RegressionTask:
    """What a task that solves a block is given.

    Attributes:
        ridge: added to the diagonal.
    """

    ridge: float


def regress(backbone: Linear, interactions: DataFrame, run: BackboneRun) -> DataFrame:
    """The similarities of all items; `Backbone.compute` has the contract.

    Args:
        backbone: the parameters.
        interactions: of `Backbone.compute`.
        run: where to keep intermediate results, and how many blocks.
    """
    real = interactions.where((F.col("source") == "real") & F.col("position").isNotNull())
    items = run.staged(count_items(real), "item ids")
    number = items.count()
    clicks = clicks_with_history(real, to_join(items, number), backbone.history)
    parts = clicks.mapInArrow(partial(sums_of_clicks, decay=backbone.decay), SUMS)
    sums = parts.groupBy("is_gram", "first", "second").agg(
        F.sum("product").alias("product"), F.sum("clicks").cast("int").alias("clicks")
    )
    sums = run.staged(sums, "sums of products")
    if number <= backbone.dense_items:
        similar = _solve_together(sums, number, backbone)
    else:
        similar = _solve_apart(sums, number, backbone, run)
    columns = similar.withColumn("synthetic_share", F.lit(0.0))
    return restore_item_ids(columns, items, number)


def sums_of_clicks(batches: Iterator[pa.RecordBatch], decay: float) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: clicks with those before them to sums of products by pair."""
    for clicks in _gathered(batches):
        gram, cross = sum_products(
            _numbers(clicks["target"]),
            _numbers(pc.list_value_length(clicks["sources"])),
            _numbers(pc.list_flatten(clicks["sources"])),
            _numbers(clicks["weight"]),
            _numbers(pc.list_flatten(clicks["source_weights"])),
            decay,
        )
        for is_gram, sums in ((True, gram), (False, cross)):
            flags = np.full(len(sums.first), is_gram)
            yield pa.RecordBatch.from_pydict({"is_gram": flags, **sums._asdict()})


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of some batches each, so that a pair of many clicks is few rows."""
    held: list[pa.RecordBatch] = []
    events = 0
    for batch in batches:
        held.append(batch)
        events += len(pc.list_flatten(batch.column("sources")))
        if events >= EVENTS_PER_SUM:
            yield pa.Table.from_batches(held)
            held, events = [], 0
    if events:
        yield pa.Table.from_batches(held)


def _solve_together(sums: DataFrame, number: int, backbone: Linear) -> DataFrame:
    """All targets at once, on the driver."""
    inverse = np.zeros((number, number))
    np.fill_diagonal(inverse, backbone.ridge)
    gram = sums.where("is_gram").select("first", "second", "product")
    for batch in stream_batches(gram):
        first, second, product = (column.to_numpy() for column in batch.columns)
        inverse[second, first] += product * UNIT  # below the diagonal: first <= second
    invert_in_place(inverse)
    rows = sums.where("NOT is_gram").select("first", "second", "product", "clicks").toArrow()
    first, second, product, clicks = (_numbers(column) for column in rows.columns)
    order = np.lexsort((second, first))
    indptr = np.searchsorted(first[order], np.arange(number + 1))
    cross = (indptr, second[order], product[order] * UNIT, clicks[order])
    starts = range(0, number, SOURCES_PER_STEP)

    def best(start: int) -> pa.RecordBatch:
        end = min(start + SOURCES_PER_STEP, number)
        found = best_targets(inverse, *cross, start, end, backbone.top_k)
        names = ("item", "neighbor", "similarity", "support")
        return pa.RecordBatch.from_pydict(dict(zip(names, found, strict=True)))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = list(track(threads.map(best, starts), "linear: best targets", total=len(starts)))
    schema = pa.schema(
        [
            ("item", pa.int32()),
            ("neighbor", pa.int32()),
            ("similarity", pa.float64()),
            ("support", pa.int32()),
        ]
    )
    return sums.sparkSession.createDataFrame(pa.Table.from_batches(found, schema))


def _solve_apart(sums: DataFrame, number: int, backbone: Linear, run: BackboneRun) -> DataFrame:
    """Each target by itself, on the sources with the largest sums of products with it."""
    spark = sums.sparkSession
    blocks = run.options.blocks or max(cores(spark), ceil(number / TARGETS_PER_BLOCK))
    block = F.pmod(F.col("second"), F.lit(blocks)).cast("int")
    strongest = Window.partitionBy("second").orderBy(F.desc("product"), "first")
    chosen = sums.where("NOT is_gram").withColumn("place", F.row_number().over(strongest))
    cross = run.staged(
        chosen.where(F.col("place") <= backbone.sources).drop("place").withColumn("block", block),
        "sources of each target",
    )
    needed = cross.select("block", "first").distinct()
    # A pair stands once in X'X, and goes to the blocks that need its first item; the task leaves
    # out those whose second item it does not need.
    gram = sums.where("is_gram").join(needed, "first")
    rows = cross.unionByName(gram)
    solve = partial(solve_block, task=RegressionTask(backbone.ridge))
    solved = map_each(rows, "block", blocks, solve, SIMILAR)
    best = Window.partitionBy("item").orderBy(F.desc("similarity"), "neighbor")
    placed = solved.withColumn("place", F.row_number().over(best))
    return placed.where(F.col("place") <= backbone.top_k).drop("place")


def solve_block(
    batches: Iterator[pa.RecordBatch], task: RegressionTask
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers, once a block: the sums of its targets and of their sources to
    the similarities of both.
    """
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received)
    cross = _sorted(table.filter(pc.invert(table["is_gram"])), "second", "first")
    gram = _sorted(table.filter(table["is_gram"]), "first", "second")
    items = np.unique(cross["first"])
    gram_rows = np.searchsorted(items, gram["first"])
    others = np.minimum(np.searchsorted(items, gram["second"]), len(items) - 1)
    known = items[others] == gram["second"]
    indptr = np.searchsorted(gram_rows[known], np.arange(len(items) + 1))
    others, products = others[known].astype(np.int32), gram["product"][known] * UNIT
    place = np.full(len(items), -1, np.int32)
    sources = np.searchsorted(items, cross["first"]).astype(np.int32)
    bounds = np.flatnonzero(np.diff(cross["second"], prepend=-1, append=-1))
    values = np.empty(len(sources))
    for start, end in pairwise(bounds):
        matrix = fill_gram(sources[start:end], place, indptr, others, products)
        values[start:end] = solve_target(matrix, cross["product"][start:end] * UNIT, task.ridge)
    positive = values > 0
    columns = (cross["first"], cross["second"], values, cross["clicks"])
    names = ("item", "neighbor", "similarity", "support")
    yield pa.RecordBatch.from_pydict(
        {name: column[positive] for name, column in zip(names, columns, strict=True)}
    )


def _sorted(table: pa.Table, *keys: str) -> dict[str, NDArray[Any]]:
    """The columns as arrays, rows in the order of some of them, the first one first."""
    columns = {name: _numbers(table[name]) for name in ("first", "second", "product", "clicks")}
    order = np.lexsort([columns[key] for key in reversed(keys)])
    return {name: column[order] for name, column in columns.items()}


def _numbers(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    numbers: NDArray[Any] = whole.to_numpy(zero_copy_only=False)
    return numbers
