"""BM25: the item-kNN whose clicks are weighted as Okapi BM25 weighs words, items being the
documents and users the words.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    Blocks,
    Doubles,
    UserLists,
    edge_weights,
    read_only,
)
from llm_i2i_spark.kernels.dot import dot_block
from llm_i2i_spark.kernels.top_k import Neighbors


def bm25_block(
    lists: UserLists, block_of: Blocks, block: int, totals: Doubles, k1: float, b: float, top_k: int
) -> Neighbors:
    """S(i, j) = sum of x_ui x_uj over the users of both: `BM25Recommender` of the package implicit,
    which fixes the formula.

        x_ui = e_ui (k1 + 1) / (k1 * (1 - b + b * total of i / mean total) + e_ui) * (ln(items) -
        ln(1 + items of u))

    Args:
        lists: the whole lists of all users who have an item of the block.
        block_of: the block of each item, by number.
        block: whose items are wanted.
        totals: the sum of each item's edge weights over all its users, by number; 0 for items that
            the log has not.
        k1: saturation of a click's weight.
        b: how much a popular item takes from each of its clicks.
        top_k: neighbours kept an item, without the item itself.
    """
    items = max(int(np.count_nonzero(totals)), 1)
    mean_total = max(totals.sum() / items, np.finfo(np.float64).tiny)
    length_norms = (1.0 - b + b * totals / mean_total)[lists.edges >> ITEM_SHIFT]
    lengths = np.diff(lists.offsets)
    rarity = np.repeat(np.log(items) - np.log1p(lengths), lengths)
    weights = edge_weights(lists)
    e = weights if len(weights) else np.ones(len(lists.edges))
    values = read_only(e * (k1 + 1.0) / (k1 * length_norms + e) * rarity)
    return dot_block(lists, values, np.ones(len(block_of)), block_of, block, top_k)
