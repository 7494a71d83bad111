"""BM25: the item-kNN whose clicks are weighted as Okapi BM25 weighs words, users being the documents."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.i2i.kernels.dot import dot_block
from llm_i2i_spark.i2i.kernels.neighbors import Neighbors
from llm_i2i_spark.i2i.kernels.ragged import Blocks, Doubles, UserLists, edge_weights, frozen, list_totals


def bm25_block(
    lists: UserLists, block_of: Blocks, block: int, clicks: Doubles, users: int, mean_total: float, k1: float, b: float, top_k: int
) -> Neighbors:
    """S(i, j) = sum of x_ui x_uj over the users of both: `BM25Recommender` of the package implicit, which fixes the formula.

        x_ui = e_ui (k1 + 1) / (k1 * (1 - b + b * total of u / mean total) + e_ui) * (ln(users) - ln(1 + clicks of i))

    Args:
        lists: the whole lists of all users who have an item of the block.
        block_of: the block of each item, by number.
        block: whose items are wanted.
        clicks: users of each item, by number.
        users: of the whole log, those of one item included.
        mean_total: the mean of all users' sums of edge weights.
        k1: saturation of a click's weight.
        b: how much a long list takes from each of its clicks.
        top_k: neighbours kept an item, without the item itself.
    """
    weights = edge_weights(lists)
    totals = np.repeat(list_totals(lists, weights), np.diff(lists.offsets))
    e = weights if len(weights) else np.ones(len(lists.edges))
    values = frozen(e * (k1 + 1.0) / (k1 * (1.0 - b + b * totals / mean_total) + e))
    return dot_block(lists, values, np.log(users) - np.log1p(clicks), block_of, block, top_k)
