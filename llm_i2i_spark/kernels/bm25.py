"""BM25: item-kNN with clicks weighted as Okapi BM25 weighs words; items are the documents, users
the words.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, read_only
from llm_i2i_spark.kernels.csr import ITEM_SHIFT, ItemBlock, UserCsr, entry_weights
from llm_i2i_spark.kernels.dot import dot_block
from llm_i2i_spark.kernels.top_k import Neighbors


def bm25_block(
    csr: UserCsr, block: ItemBlock, totals: Float64Array, k1: float, b: float, top_k: int
) -> Neighbors:
    """S(i, j) = sum of x_ui x_uj over the users of both: `BM25Recommender` of the package implicit,
    which fixes the formula.

        x_ui = e_ui (k1 + 1) / (k1 * (1 - b + b * total of i / mean total) + e_ui) * (ln(items) -
        ln(1 + items of u))

    Args:
        csr: the whole rows of all users who have an item of the block.
        block: whose rows are wanted.
        totals: (items,) sum of each item's edge weights over all its users, whatever the cap; 0 for
            items without interactions.
        k1: saturation of a click's weight.
        b: how much a popular item takes from each of its clicks.
        top_k: neighbours kept an item, without the item itself.
    """
    n_items = max(int(np.count_nonzero(totals)), 1)
    mean_total = max(totals.sum() / n_items, np.finfo(np.float64).tiny)
    length_norms = (1.0 - b + b * totals / mean_total)[csr.indices >> ITEM_SHIFT]
    lengths = np.diff(csr.indptr)
    rarity = np.repeat(np.log(n_items) - np.log1p(lengths), lengths)
    weights = entry_weights(csr)
    e = weights if len(weights) else np.ones(len(csr.indices))
    values = read_only(e * (k1 + 1.0) / (k1 * length_norms + e) * rarity)
    return dot_block(csr, block, values, np.ones(len(block.block_of_item)), top_k)
