"""Similarities that are scaled dot products of two columns of the click matrix, compiled: item-kNN,
BM25 and the like.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import ITEM_SHIFT, ItemBlock, UserCsr
from llm_i2i_spark.kernels.edge_format import SYNTHETIC
from llm_i2i_spark.kernels.hash_sampling import users_of_block
from llm_i2i_spark.kernels.top_k import (
    Neighbors,
    allocate_neighbors,
    allocate_top_k,
    append_best,
    first_rows,
)


@compiled
def dot_block(
    csr: UserCsr, block: ItemBlock, values: Float64Array, factors: Float64Array, top_k: int
) -> Neighbors:
    """S(i, j) = f_i f_j * sum over the users of both of x_ui x_uj: the best `top_k` neighbours of
    every item of a block.

    Args:
        csr: the whole rows of all users who have an item of the block.
        block: whose rows are wanted; with a cap the sum of row i is over the sampled users of i.
        values: (entries,) x.
        factors: (items,) f.
        top_k: neighbours kept an item, by similarity, then by item index.

    Returns:
        Support is the users of both items; the synthetic share is what is gone without synthetic
        edges.
    """
    items = users_of_block(csr, block)
    n_items = len(block.block_of_item)
    support, touched = np.zeros(n_items, np.uint32), np.empty(n_items, np.uint32)
    sums, real_sums = np.zeros(n_items), np.zeros(n_items)
    indptr = np.zeros(n_items + 1, np.uint64)
    scores, real_scores = np.empty(n_items), np.empty(n_items)
    best = allocate_top_k(top_k)
    out = allocate_neighbors(csr, items, top_k, 1)
    rows = 0
    for t in range(len(items.items)):
        item = items.items[t]
        n_touched = 0
        for position in range(items.indptr[t], items.indptr[t + 1]):
            user, own = items.indices[position], items.entries[position]
            for entry in range(csr.indptr[user], csr.indptr[user + 1]):
                other = csr.indices[entry] >> ITEM_SHIFT
                if other == item:
                    continue
                if support[other] == 0:
                    touched[n_touched] = other
                    n_touched += 1
                support[other] += 1
                product = values[own] * values[entry]
                sums[other] += product
                if not (csr.indices[own] | csr.indices[entry]) & SYNTHETIC:
                    real_sums[other] += product
        for position in range(n_touched):
            other = touched[position]
            scale = factors[item] * factors[other]
            scores[position], real_scores[position] = sums[other] * scale, real_sums[other] * scale
            indptr[position + 1] = indptr[position] + support[other]
            sums[other], real_sums[other], support[other] = 0.0, 0.0, 0
        rows = append_best(out, rows, item, touched[:n_touched], indptr, scores, real_scores, best)
    return first_rows(out, rows)
