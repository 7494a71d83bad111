"""Transitions by expectation maximisation, in Spark.

The clicks go to blocks by the item that is clicked, once, each with the clicks before it. A round
needs nothing of other blocks but the sum of each item's masses, so all rounds are narrow: a pass
over the blocks gives sums, the driver adds them up and sends them with the next pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.backbones.click_histories import clicks_with_history, count_items
from llm_i2i_spark.backbones.cooccurrence.item_ids import restore_item_ids, to_join
from llm_i2i_spark.backbones.em_similarities import (
    PARTS,
    find_similarities,
    pack_masses,
    pair_keys,
)
from llm_i2i_spark.kernels.arrays import Int64Array
from llm_i2i_spark.kernels.em_transitions import (
    TargetBlock,
    make_block,
    prior_of_pairs,
    sum_by_source,
    transition_masses,
)
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.grouped_map import map_each

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.em_transitions import EmTransitions

CLICKS_PER_BLOCK = 300_000
PACKED = (
    "targets array<int>, weights array<double>, lengths array<int>, sources array<int>,"
    " source_weights array<double>, prior array<double>"
)
TOTALS = "source int, total bigint"


@dataclass(frozen=True)
class EmTask:
    """What every task is given.

    Attributes:
        decay: weight of an earlier click relative to the next later one.
        prior_strength: in clicks.
        totals: for each round that is over, (items,) the sum of each item's masses.
    """

    decay: float
    prior_strength: float
    totals: tuple[Int64Array, ...] = ()


def find_transitions(
    backbone: EmTransitions, interactions: DataFrame, prior: DataFrame, run: BackboneRun
) -> DataFrame:
    """The similarities of all items; `Backbone.compute` has the contract.

    Args:
        backbone: the parameters.
        interactions: of `Backbone.compute`.
        prior: similarities that say what to expect, columns as `Backbone.compute` returns them.
        run: where to keep intermediate results.
    """
    items = run.staged(count_items(interactions), "item ids")
    counted = items.agg(F.count("*").alias("items"), F.sum("rows").alias("rows")).first()
    assert counted is not None
    number = counted["items"]
    if number == 0:
        return prior.limit(0)
    joined = to_join(items, number)
    expected = run.staged(_scaled_prior(prior, joined, backbone), "prior, scaled")
    blocks = max(cores(interactions.sparkSession), ceil(counted["rows"] / CLICKS_PER_BLOCK))
    clicks = clicks_with_history(interactions, joined, backbone.history)
    rows = clicks.unionByName(_by_target(expected), allowMissingColumns=True).withColumn(
        "block", F.pmod(F.col("target"), F.lit(blocks)).cast("int")
    )
    packed = run.staged(map_each(rows, "block", blocks, pack_block, PACKED), "clicks by item")
    task = EmTask(backbone.decay, backbone.prior_strength)
    for _ in range(backbone.rounds):
        task = replace(task, totals=(*task.totals, _add_totals(packed, task, number)))
    masses = packed.mapInArrow(partial(masses_by_pair, task=task, parts=blocks), PARTS)
    similar = find_similarities(masses, expected, blocks, backbone.prior_strength, backbone.top_k)
    return restore_item_ids(similar, items, number)


def _scaled_prior(prior: DataFrame, items: DataFrame, backbone: EmTransitions) -> DataFrame:
    """`source int, target int, prior double, support int, share double`; the prior of each source
    sums to 1.
    """
    clicks = F.greatest("clicks", F.lit(1)).cast("double")
    own = items.select("item_id", F.col("item_idx").alias("source"))
    other = items.select(
        F.col("item_id").alias("neighbor_id"),
        F.col("item_idx").alias("target"),
        F.pow(clicks, F.lit(-backbone.prior_damping)).alias("damping"),
    )
    damped = (
        prior.join(own, "item_id")
        .join(other, "neighbor_id")
        .select(
            "source",
            F.struct(
                "target",
                (F.col("similarity") * F.col("damping")).alias("score"),
                "support",
                F.col("synthetic_share").alias("share"),
            ).alias("entry"),
        )
    )
    # Summed up in the order of the targets, so that the sum is the same to the bit.
    lists = damped.groupBy("source").agg(F.sort_array(F.collect_list("entry")).alias("entries"))
    total = F.aggregate("entries", F.lit(0.0), lambda so_far, entry: so_far + entry["score"])
    summed = lists.withColumn("total", total)
    rows = summed.select("source", "total", F.explode("entries").alias("entry"))
    return rows.select(
        "source",
        "entry.target",
        (F.col("entry.score") / F.col("total")).alias("prior"),
        "entry.support",
        "entry.share",
    )


def _by_target(expected: DataFrame) -> DataFrame:
    """The prior of each target as one row beside its clicks."""
    return expected.groupBy("target").agg(
        F.collect_list("source").alias("sources"), F.collect_list("prior").alias("prior")
    )


def _add_totals(packed: DataFrame, task: EmTask, items: int) -> Int64Array:
    """(items,) the sum of each item's masses after the rounds that are over."""
    parts = packed.mapInArrow(partial(totals_by_source, task=task), TOTALS)
    summed = parts.groupBy("source").agg(F.sum("total").alias("total")).toArrow()
    totals = np.zeros(items, np.int64)
    totals[summed["source"].to_numpy()] = summed["total"].to_numpy()
    return totals


def pack_block(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers, once a block: its clicks as one row, with the prior of each
    pair that occurs in it.
    """
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received)
    has_prior = table["prior"].is_valid()
    clicks, expected = table.filter(pc.invert(has_prior)), table.filter(has_prior)
    row = {
        "targets": _numbers(clicks["target"]),
        "weights": _numbers(clicks["weight"]),
        "lengths": _numbers(pc.list_value_length(clicks["sources"])),
        "sources": _numbers(pc.list_flatten(clicks["sources"])),
        "source_weights": _numbers(pc.list_flatten(clicks["source_weights"])),
    }
    block = _block(row, decay=1.0)
    row["prior"] = prior_of_pairs(
        block,
        _numbers(pc.list_flatten(expected["sources"])),
        np.repeat(
            _numbers(expected["target"]), _numbers(pc.list_value_length(expected["sources"]))
        ),
        _numbers(pc.list_flatten(expected["prior"])),
    )
    yield pa.RecordBatch.from_pydict({name: [values] for name, values in row.items()})


def totals_by_source(batches: Iterator[pa.RecordBatch], task: EmTask) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: packed blocks to the sums of their items' masses."""
    for block, masses in _blocks(batches, task):
        sources, totals = sum_by_source(block, masses)
        yield pa.RecordBatch.from_pydict({"source": sources, "total": totals})


def masses_by_pair(
    batches: Iterator[pa.RecordBatch], task: EmTask, parts: int
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: packed blocks to the mass of each pair, and the number of
    clicks on its target that had its source before them.
    """
    for block, masses in _blocks(batches, task):
        if len(masses):
            clicks = np.bincount(block.pair, minlength=len(masses)).astype(np.int32)
            yield pack_masses(pair_keys(block.sources, block.targets), masses, clicks, parts)


def _blocks(
    batches: Iterator[pa.RecordBatch], task: EmTask
) -> Iterator[tuple[TargetBlock, Int64Array]]:
    """Each packed block with the masses after the rounds that are over."""
    for batch in batches:
        for row in range(batch.num_rows):
            arrays = {name: _numbers(batch.column(name)[row].values) for name in batch.schema.names}
            block = _block(arrays, task.decay)
            yield (
                block,
                transition_masses(block, arrays["prior"], task.prior_strength, task.totals),
            )


def _block(arrays: Mapping[str, NDArray[Any]], decay: float) -> TargetBlock:
    return make_block(
        arrays["targets"],
        arrays["lengths"],
        arrays["sources"],
        arrays["weights"],
        arrays["source_weights"],
        decay,
    )


def _numbers(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    numbers: NDArray[Any] = whole.to_numpy(zero_copy_only=False)
    return numbers
