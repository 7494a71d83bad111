"""Item-kNN: the cosine of two items' columns of the click matrix (Sarwar et al., WWW 2001)."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.csr import Blocks, Doubles, UserLists, edge_weights, read_only
from llm_i2i_spark.kernels.dot import dot_block
from llm_i2i_spark.kernels.top_k import Neighbors


def item_knn_block(
    lists: UserLists, block_of: Blocks, block: int, squares: Doubles, top_k: int
) -> Neighbors:
    """S(i, j) = sum of e_ui e_uj over the users of both / (|i| |j|): `CosineRecommender` of the
    package implicit.

    Args:
        lists: the whole lists of all users who have an item of the block.
        block_of: the block of each item, by number.
        block: whose items are wanted.
        squares: |i|^2 = sum of e_ui^2 over all users of i, by item number.
        top_k: neighbours kept an item, without the item itself.
    """
    weights = edge_weights(lists)
    values = read_only(weights if len(weights) else np.ones(len(lists.edges)))
    return dot_block(
        lists,
        values,
        1.0 / np.sqrt(np.maximum(squares, np.finfo(np.float64).tiny)),
        block_of,
        block,
        top_k,
    )
