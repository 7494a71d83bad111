"""Engine `block`: every user's row goes once to each item block it touches; a block is one call of
compiled code.

One exchange carries the rows, 4 bytes an edge; the kernel ends with each item's best neighbours, so
similarities of pairs never become rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
from llm_i2i_spark.backbones.cooccurrence.packed_lists import PACKED
from llm_i2i_spark.kernels.arrays import Int32Array, UInt16Array, UInt64Array
from llm_i2i_spark.kernels.edge_format import NO_CAP

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone

ROWS_PER_SPLIT = 64
"""Packed lists that are split at once: a million edges. A user's row goes to many blocks, so what
is shipped of them is many times as much."""
OUTPUT_ROWS = 65_536
SIMILAR = "item int, neighbor int, similarity double, support int, synthetic_share double"
"""What an engine returns: items and neighbours by index."""


@dataclass(frozen=True)
class BlockTask:
    """What every task is given.

    Attributes:
        block_of_item: (items,) block of each item; NO_BLOCK where its row is not computed.
        blocks: how many there are.
        item_hashes: (items,) 32-bit hash of item id and seed, for hash sampling.
        thresholds: (items,) uint64; a user may be kept if hash(user, item) is at most this; empty
            where there is no cap.
        backbone: the kernel and its parameters.
        norms: of all items, for backbones that need them.
    """

    block_of_item: UInt16Array
    blocks: int
    item_hashes: Int32Array
    thresholds: UInt64Array
    backbone: CooccurrenceBackbone
    norms: ItemNorms


def similar_by_block(lists: DataFrame, task: BlockTask) -> DataFrame:
    """The best neighbours of all items that have a block, one kernel call a block.

    Args:
        lists: packed lists, from `build_user_lists`.
        task: any assignment of items to blocks gives the same rows.

    Returns:
        Columns as in `SIMILAR`.
    """
    from llm_i2i_spark.lake.grouped_map import map_each

    shipped = lists.mapInArrow(partial(split_lists, task=task), f"block int, {PACKED}")
    return map_each(shipped, "block", task.blocks, partial(similar_in_block, task=task), SIMILAR)


def split_lists(batches: Iterator[pa.RecordBatch], task: BlockTask) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: packed lists to packed lists for each block."""
    for batch in batches:
        for first in range(0, batch.num_rows, ROWS_PER_SPLIT):
            yield _split(batch.slice(first, ROWS_PER_SPLIT), task)


def _split(batch: pa.RecordBatch, task: BlockTask) -> pa.RecordBatch:
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import pack_slices, unpack
    from llm_i2i_spark.kernels.arrays import read_only
    from llm_i2i_spark.kernels.hash_sampling import mark_capped
    from llm_i2i_spark.kernels.splitting import split_by_block

    csr = unpack([batch])
    assert csr is not None
    if len(task.thresholds):
        edges = mark_capped(csr, task.item_hashes, task.thresholds)
        csr = csr._replace(indices=read_only(edges))
    split = split_by_block(csr, task.block_of_item, task.blocks)
    present = np.flatnonzero(np.diff(split.row_starts)).astype(np.int32)
    rows = pack_slices(split.csr, np.append(split.row_starts[present], split.row_starts[-1]))
    return pa.RecordBatch.from_arrays(
        [pa.array(present), *rows.columns], names=["block", *rows.schema.names]
    )


def similar_in_block(
    batches: Iterator[pa.RecordBatch], task: BlockTask
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers, once a block; the compiled code is loaded from disk at a
    worker's first call.
    """
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import unpack
    from llm_i2i_spark.kernels.csr import ItemBlock

    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    number = received[0].column("block")[0].as_py()
    csr = unpack(received)
    received.clear()
    assert csr is not None
    cap = task.backbone.max_users_per_item or NO_CAP
    block = ItemBlock(task.block_of_item, number, task.item_hashes, cap)
    found = task.backbone.neighbors_of_block(csr, block, task.norms)
    rows = pa.RecordBatch.from_arrays(
        [pa.array(column) for column in found], names=list(found._fields)
    )
    for start in range(0, rows.num_rows, OUTPUT_ROWS):
        yield rows.slice(start, OUTPUT_ROWS)
