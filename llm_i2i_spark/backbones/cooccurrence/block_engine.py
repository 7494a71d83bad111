"""Engine `block`: every user's list goes once to each item block it touches; a block is one call of
compiled code.

One exchange carries the lists, 4 bytes an edge; the kernel ends with each item's best neighbours,
so similarities of pairs are never rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.cooccurrence.item_norms import Statistics
from llm_i2i_spark.backbones.cooccurrence.user_lists import NO_CAP, PARCELS
from llm_i2i_spark.config.i2i import I2iConfig

if TYPE_CHECKING:
    from llm_i2i_spark.kernels.csr import Blocks, Ints, Sizes, UserLists
    from llm_i2i_spark.kernels.top_k import Neighbors

LIKELY = 10.0
"""Standard deviations above its mean that a random count is expected to stay under."""
PARCELS_AT_A_TIME = 64
"""A million edges; a list goes to many blocks, so what is shipped of them is many times as much."""
BATCH_ROWS = 65_536
SIMILAR = "item int, neighbor int, similarity double, support int, synthetic_share double"


@dataclass(frozen=True)
class BlockTask:
    """What every task is told.

    Attributes:
        block_of: the block of each item, by number; NO_BLOCK where its row is not wanted.
        blocks: how many there are.
        lots: of the items, for the lottery of those with more users than the cap.
        limits: by item number, what the numbers that are drawn stay under; empty without a cap.
        settings: the backbone and its parameters.
        statistics: what the backbone must know of the whole log.
    """

    block_of: Blocks
    blocks: int
    lots: Ints
    limits: Sizes
    settings: I2iConfig
    statistics: Statistics


def lottery_limits(clicks: npt.NDArray[np.int64], cap: int | None) -> Sizes:
    """What the lowest `cap` numbers of each item's lottery stay under, all but surely: so few lists
    are shipped for nothing.

    Args:
        clicks: by item number.
        cap: users that an item's row is summed over; None for all.

    Returns:
        2^64 - 1 for items with no more users; empty where no item has.
    """
    if cap is None or clicks.max(initial=0) <= cap:
        return np.empty(0, np.uint64)
    share = (cap + LIKELY * cap**0.5) / np.maximum(clicks, 1)
    limits: Sizes = (np.where(share < 0.99, share, 0.0) * 2.0**64).astype(np.uint64) - np.uint64(1)
    return limits


def similar_by_block(lists: DataFrame, task: BlockTask) -> DataFrame:
    """The best neighbours of all items that have a block, one kernel call a block.

    Args:
        lists: parcels, from `user_lists`.
        task: any assignment of items to blocks gives the same rows.

    Returns:
        `item int, neighbor int, similarity double, support int, synthetic_share double`.
    """
    shipped = lists.mapInArrow(partial(split_lists, task=task), f"block int, {PARCELS}")
    return shipped.repartitionById(task.blocks, "block").mapInArrow(
        partial(similar_in_block, task=task), SIMILAR
    )


def split_lists(batches: Iterator[pa.RecordBatch], task: BlockTask) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: parcels of lists to parcels for each block."""
    for batch in batches:
        for first in range(0, batch.num_rows, PARCELS_AT_A_TIME):
            yield _deal(batch.slice(first, PARCELS_AT_A_TIME), task)


def _deal(batch: pa.RecordBatch, task: BlockTask) -> pa.RecordBatch:
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import parcels, unpack
    from llm_i2i_spark.kernels.csr import read_only
    from llm_i2i_spark.kernels.splitting import cap_edges, split_by_block

    lists = unpack([batch])
    assert lists is not None
    if len(task.limits):
        lists = lists._replace(edges=read_only(cap_edges(lists, task.lots, task.limits)))
    dealt = split_by_block(lists, task.block_of, task.blocks)
    present = np.flatnonzero(np.diff(dealt.starts)).astype(np.int32)
    rows = parcels(dealt.lists, np.append(dealt.starts[present], dealt.starts[-1]))
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

    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    block = received[0].column("block")[0].as_py()
    lists = unpack(received)
    received.clear()
    assert lists is not None
    found = find_neighbors(lists, block, task)
    rows = pa.RecordBatch.from_arrays(
        [pa.array(column) for column in found], names=list(found._fields)
    )
    for start in range(0, rows.num_rows, BATCH_ROWS):
        yield rows.slice(start, BATCH_ROWS)


def find_neighbors(lists: UserLists, block: int, task: BlockTask) -> Neighbors:
    """Call the kernel of the backbone. A further similarity is a file in `kernels/` and a line
    here.
    """
    settings, statistics, top_k = task.settings, task.statistics, task.settings.top_k
    if settings.backbone == "item_knn":
        from llm_i2i_spark.kernels.item_knn import item_knn_block

        return item_knn_block(lists, task.block_of, block, statistics.squares, top_k)
    if settings.backbone == "bm25":
        from llm_i2i_spark.kernels.bm25 import bm25_block

        return bm25_block(
            lists, task.block_of, block, statistics.totals, settings.bm25.k1, settings.bm25.b, top_k
        )
    if settings.backbone == "transitions":
        from llm_i2i_spark.kernels.transitions import transitions_block

        return transitions_block(lists, task.block_of, block, settings.transitions.window, top_k)
    from llm_i2i_spark.kernels.swing import swing_block

    swing = settings.swing
    cap = swing.max_users_per_item or NO_CAP
    return swing_block(
        lists, task.block_of, block, swing.a1, swing.a2, swing.b, task.lots, cap, top_k
    )
