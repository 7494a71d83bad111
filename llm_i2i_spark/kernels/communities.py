"""Items that are clicked together into one block: restreamed linear deterministic greedy
partitioning, compiled.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import (
    Float64Array,
    Int64Array,
    UInt16Array,
    UInt32Array,
)
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    NO_BLOCK,
    ItemBlock,
    UserCsr,
    transpose_block,
    user_order,
)
from llm_i2i_spark.kernels.edge_format import NO_CAP

SLACK = 1.1
"""Most work of a block, in shares of an even one."""
PASSES = 8


@compiled
def assign_communities(
    csr: UserCsr, work: Float64Array, order: Int64Array, blocks: int
) -> UInt16Array:
    """Move every item to the block that most of its users' other items are in, as far as the block
    has capacity left.

    The score of a block is its co-clicks with the item * (1 - its load / its capacity): Stanton and
    Kliot (KDD 2012), streamed again from the last result as Nishimura and Ugander (KDD 2013) do, on
    co-clicks instead of a stored graph. About 8 * sum |I_u|^2 steps.

    Args:
        csr: the users; a sample is enough.
        work: (items,) share of the whole work.
        order: item indices in the order in which they are moved.
        blocks: how many.

    Returns:
        (items,) block of each item, NO_BLOCK for items without users; no block has more than 1.1
        times its share of the work, unless a single item has.
    """
    block_of_item = np.full(len(work), NO_BLOCK, np.uint16)
    everything = ItemBlock(
        np.zeros(len(block_of_item), np.uint16), 0, np.empty(0, np.int32), NO_CAP
    )
    items = transpose_block(csr, user_order(csr), everything)
    row_of_item = np.full(len(block_of_item), -1, np.int64)
    for t in range(len(items.items)):
        row_of_item[items.items[t]] = t
    capacity = SLACK * work.sum() / blocks
    load = np.zeros(blocks)
    co_clicks = np.zeros(blocks)
    for _ in range(PASSES):
        for item in order:
            t = row_of_item[item]
            if t < 0:
                continue
            users = items.indices[items.indptr[t] : items.indptr[t + 1]]
            _count_co_clicks(csr, users, block_of_item, co_clicks)
            if block_of_item[item] != NO_BLOCK:
                load[block_of_item[item]] -= work[item]
            best, best_score = int(np.argmin(load)), -1.0
            for block in range(blocks):
                score = co_clicks[block] * (1.0 - load[block] / capacity)
                if load[block] + work[item] <= capacity and (
                    score > best_score or (score == best_score and load[block] < load[best])
                ):
                    best, best_score = block, score
            block_of_item[item] = best
            load[best] += work[item]
    return block_of_item


@compiled
def _count_co_clicks(
    csr: UserCsr, users: UInt32Array, block_of_item: UInt16Array, co_clicks: Float64Array
) -> None:
    """By block, how many items of it these users have; an item of a long row counts less, since the
    row says little about each of its pairs.
    """
    co_clicks[:] = 0.0
    for user in users:
        own = csr.indices[csr.indptr[user] : csr.indptr[user + 1]]
        for edge in own:
            if block_of_item[edge >> ITEM_SHIFT] != NO_BLOCK:
                co_clicks[block_of_item[edge >> ITEM_SHIFT]] += 1.0 / len(own)
