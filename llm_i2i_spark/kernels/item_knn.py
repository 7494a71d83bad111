"""Item-kNN: the cosine of two items' columns of the click matrix (Sarwar et al., WWW 2001)."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, read_only
from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr, entry_weights
from llm_i2i_spark.kernels.dot import dot_block
from llm_i2i_spark.kernels.top_k import Neighbors


def item_knn_block(csr: UserCsr, block: ItemBlock, squares: Float64Array, top_k: int) -> Neighbors:
    """S(i, j) = sum of e_ui e_uj over the users of both / (|i| |j|): `CosineRecommender` of the
    package implicit.

    Args:
        csr: the whole rows of all users who have an item of the block.
        block: whose rows are wanted.
        squares: (items,) |i|^2 = sum of e_ui^2 over all users of i, whatever the cap.
        top_k: neighbours kept an item, without the item itself.
    """
    weights = entry_weights(csr)
    values = read_only(weights if len(weights) else np.ones(len(csr.indices)))
    norms = np.sqrt(np.maximum(squares, np.finfo(np.float64).tiny))
    return dot_block(csr, block, values, 1.0 / norms, top_k)
