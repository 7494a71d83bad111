"""Next-item transitions: how often, and how soon, users went from one item to another. Not
symmetric.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import ITEM_SHIFT, ItemBlock, UserCsr, entry_weights
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
def transitions_block(csr: UserCsr, block: ItemBlock, window: int, top_k: int) -> Neighbors:
    """S(i, j) = sum of e_ui e_uj / (clicks from i to j) over the users who clicked j at most
    `window` real clicks after i.

    With a window of one a first-order Markov chain; with more the sequential rules of Ludewig and
    Jannach (UMUAI 2018).

    Args:
        csr: the whole rows of all users who have an item of the block, in the order of their
            clicks.
        block: whose rows are wanted; with a cap row i sums over the sampled users of i.
        window: clicks looked ahead.
        top_k: neighbours kept an item, by similarity, then by item index.

    Returns:
        Support is the users behind each transition; the synthetic share is 0, since a synthetic
        interaction has no position in a sequence.
    """
    items = users_of_block(csr, block)
    weights = entry_weights(csr)
    weighted = len(weights) > 0
    n_items = len(block.block_of_item)
    support, touched = np.zeros(n_items, np.uint32), np.empty(n_items, np.uint32)
    sums, scores = np.zeros(n_items), np.empty(n_items)
    indptr = np.zeros(n_items + 1, np.uint64)
    best = allocate_top_k(top_k)
    out = allocate_neighbors(csr, items, top_k, 1)
    rows = 0
    for t in range(len(items.items)):
        n_touched = 0
        for position in range(items.indptr[t], items.indptr[t + 1]):
            own, end = items.entries[position], csr.indptr[items.indices[position] + 1]
            if csr.indices[own] & SYNTHETIC:
                continue
            for entry in range(own + 1, min(own + 1 + window, end)):
                if csr.indices[entry] & SYNTHETIC:
                    break
                other = csr.indices[entry] >> ITEM_SHIFT
                if support[other] == 0:
                    touched[n_touched] = other
                    n_touched += 1
                support[other] += 1
                if weighted:
                    sums[other] += weights[own] * weights[entry] / (entry - own)
                else:
                    sums[other] += 1.0 / (entry - own)
        for position in range(n_touched):
            other = touched[position]
            scores[position] = sums[other]
            indptr[position + 1] = indptr[position] + support[other]
            sums[other], support[other] = 0.0, 0
        rows = append_best(
            out, rows, items.items[t], touched[:n_touched], indptr, scores, scores.copy(), best
        )
    return first_rows(out, rows)
