"""Which block each item goes to: even work for every block, and few blocks a user."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame

from llm_i2i_spark.kernels.edge_format import NO_BLOCK

SAMPLE_PARCELS = 128
HOT_ITEMS = 20_000
"""So many of the most clicked items are dealt one by one, to the block with least work so far; the
others in turn.
"""


def deal_items(
    clicks: npt.NDArray[np.int64], blocks: int, cap: int | None = None
) -> npt.NDArray[np.uint16]:
    """Blocks of even work, whatever the popularity skew.

    Args:
        clicks: by item number.
        blocks: how many.
        cap: most users that an item's row is summed over.

    Returns:
        The block of each item; the blocks with the hottest items come first, so that they start
        first.
    """
    work = item_work(clicks, cap)
    order = np.argsort(-work, kind="stable")
    block_of = np.empty(len(clicks), np.uint16)
    load = [(0.0, block) for block in range(blocks)]
    for item in order[:HOT_ITEMS]:
        least, block = load[0]
        block_of[item] = block
        heapq.heapreplace(load, (least + work[item], block))
    in_turn = np.array([block for _, block in sorted(load)], np.uint16)
    rest = order[HOT_ITEMS:]
    block_of[rest] = in_turn[np.arange(len(rest)) % blocks]
    return block_of


def group_communities(
    lists: DataFrame, clicks: npt.NDArray[np.int64], blocks: int, cap: int | None = None
) -> tuple[npt.NDArray[np.uint16], float]:
    """Blocks of items that are clicked together, so that a user touches few of them; the work stays
    even.

    Args:
        lists: parcels; a sample of them is brought to the driver, where this takes some seconds.
        clicks: by item number.
        blocks: how many.
        cap: most users that an item's row is summed over.

    Returns:
        The block of each item, and the share of the shuffle that it saves against `deal_items`,
        measured on the sample.
    """
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import unpack
    from llm_i2i_spark.kernels.communities import deal_communities
    from llm_i2i_spark.kernels.splitting import split_by_block

    dealt = deal_items(clicks, blocks, cap)
    sample = unpack(lists.limit(SAMPLE_PARCELS).toArrow().to_batches())
    if sample is None or blocks == 1:
        return dealt, 0.0
    work = item_work(clicks, cap)
    grouped = deal_communities(sample, work, np.argsort(-work, kind="stable"), blocks)
    grouped = np.where(grouped == NO_BLOCK, dealt, grouped)
    shipped, shipped_dealt = (
        split_by_block(sample, each, blocks).edge_starts[-1] for each in (grouped, dealt)
    )
    return grouped, 1.0 - float(shipped / shipped_dealt)


def item_work(clicks: npt.NDArray[np.int64], cap: int | None = None) -> npt.NDArray[np.float64]:
    """How much of the whole work each item's row is, about: half of it goes by users, half by pairs
    of users.

    Looking through the lists of an item's users takes longer the more they are; adding up the terms
    grows with their pairs.
    """
    counted = (np.minimum(clicks, cap) if cap is not None else clicks).astype(np.float64)
    squares = counted * counted
    work: npt.NDArray[np.float64] = (
        counted / max(counted.sum(), 1.0) + squares / max(squares.sum(), 1.0)
    ) / 2
    return work


def share_of_work(
    clicks: npt.NDArray[np.int64], wanted: npt.NDArray[np.bool_], cap: int | None = None
) -> float:
    """The share of the whole work that these items' rows are."""
    return float(item_work(clicks, cap)[wanted].sum())
