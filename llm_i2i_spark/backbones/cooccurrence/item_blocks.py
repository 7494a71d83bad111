"""Which block each item goes to: even work for every block, and few blocks a user."""

from __future__ import annotations

import heapq

import numpy as np
from pyspark.sql import DataFrame

from llm_i2i_spark.kernels.arrays import BoolArray, Float64Array, Int64Array, UInt16Array
from llm_i2i_spark.kernels.edge_format import NO_BLOCK

SAMPLE_ROWS = 128
"""Packed lists that `assign_by_community` looks at: about two million edges."""
HOT_ITEMS = 20_000
"""So many of the most clicked items are assigned one by one, to the block with least work so far;
the others in turn.
"""


def assign_balanced(clicks: Int64Array, blocks: int, max_users: int | None = None) -> UInt16Array:
    """Blocks of even work, whatever the popularity skew.

    Args:
        clicks: (items,) users of each item.
        blocks: how many.
        max_users: users that an item's row sums over at most.

    Returns:
        (items,) the block of each item; the blocks with the hottest items come first, so that they
        start first.
    """
    work = item_work(clicks, max_users)
    order = np.argsort(-work, kind="stable")
    block_of_item = np.empty(len(clicks), np.uint16)
    load = [(0.0, block) for block in range(blocks)]
    for item in order[:HOT_ITEMS]:
        least, block = load[0]
        block_of_item[item] = block
        heapq.heapreplace(load, (least + work[item], block))
    in_turn = np.array([block for _, block in sorted(load)], np.uint16)
    rest = order[HOT_ITEMS:]
    block_of_item[rest] = in_turn[np.arange(len(rest)) % blocks]
    return block_of_item


def assign_by_community(
    lists: DataFrame, clicks: Int64Array, blocks: int, max_users: int | None = None
) -> tuple[UInt16Array, float]:
    """Blocks of items that are clicked together, so that a user touches few of them; the work stays
    even.

    Args:
        lists: packed lists; a sample of them is brought to the driver, where this takes some
            seconds.
        clicks: (items,) users of each item.
        blocks: how many.
        max_users: users that an item's row sums over at most.

    Returns:
        (items,) the block of each item, and the share of the shuffle that it saves against
        `assign_balanced`, measured on the sample.
    """
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import unpack
    from llm_i2i_spark.kernels.communities import assign_communities
    from llm_i2i_spark.kernels.splitting import split_by_block

    balanced = assign_balanced(clicks, blocks, max_users)
    sample = unpack(lists.limit(SAMPLE_ROWS).toArrow().to_batches())
    if sample is None or blocks == 1:
        return balanced, 0.0
    work = item_work(clicks, max_users)
    by_community = assign_communities(sample, work, np.argsort(-work, kind="stable"), blocks)
    by_community = np.where(by_community == NO_BLOCK, balanced, by_community)
    shipped, shipped_balanced = (
        split_by_block(sample, each, blocks).entry_starts[-1] for each in (by_community, balanced)
    )
    return by_community, 1.0 - float(shipped / shipped_balanced)


def item_work(clicks: Int64Array, max_users: int | None = None) -> Float64Array:
    """(items,) the share of the whole work that each item's row is, about: half of it goes by
    users, half by pairs of users.

    Looking through the rows of an item's users takes longer the more they are; adding up the terms
    grows with their pairs.
    """
    counted = np.minimum(clicks, max_users) if max_users is not None else clicks
    linear = counted.astype(np.float64)
    squares = linear * linear
    work: Float64Array = (linear / max(linear.sum(), 1.0) + squares / max(squares.sum(), 1.0)) / 2
    return work


def share_of_work(clicks: Int64Array, wanted: BoolArray, max_users: int | None = None) -> float:
    """The share of the whole work that the wanted items' rows are."""
    return float(item_work(clicks, max_users)[wanted].sum())
