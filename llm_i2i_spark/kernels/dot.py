"""Similarities that are products of two columns of the click matrix, scaled: item-kNN, BM25 and
their like, compiled.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    Blocks,
    Doubles,
    UserLists,
    compiled,
    user_order,
    users_of_items,
)
from llm_i2i_spark.kernels.edge_format import SYNTHETIC
from llm_i2i_spark.kernels.top_k import Best, Neighbors, room_for_neighbors, write_best


@compiled
def dot_block(
    lists: UserLists, values: Doubles, factors: Doubles, block_of: Blocks, block: int, top_k: int
) -> Neighbors:
    """S(i, j) = f_i f_j * sum over the users of both of x_ui x_uj: the best `top_k` neighbours of
    every item of a block.

    Args:
        lists: the whole lists of all users who have such an item.
        values: x, by edge.
        factors: f, by item number.
        block_of: the block of each item, by number.
        block: whose items are wanted.
        top_k: neighbours kept an item, by similarity, then by item number.

    Returns:
        Similarities; the users of both; the share of S that is gone without synthetic edges.
    """
    of_items = users_of_items(lists, user_order(lists), block_of, block)
    n_items = len(block_of)
    support, kept = np.zeros(n_items, np.uint32), np.empty(n_items, np.uint32)
    sums, real_sums = np.zeros(n_items), np.zeros(n_items)
    ends = np.zeros(n_items + 1, np.uint64)
    found, real_found = np.empty(n_items), np.empty(n_items)
    best = Best(np.empty(top_k, np.uint32), np.empty(top_k))
    out = room_for_neighbors(lists, of_items, top_k, 1)
    rows = 0
    for t in range(len(of_items.items)):
        item = of_items.items[t]
        touched = 0
        for place in range(of_items.starts[t], of_items.starts[t + 1]):
            user, own = of_items.users[place], of_items.edges[place]
            for edge in range(lists.offsets[user], lists.offsets[user + 1]):
                other = lists.edges[edge] >> ITEM_SHIFT
                if other == item:
                    continue
                if support[other] == 0:
                    kept[touched] = other
                    touched += 1
                support[other] += 1
                product = values[own] * values[edge]
                sums[other] += product
                if not (lists.edges[own] | lists.edges[edge]) & SYNTHETIC:
                    real_sums[other] += product
        for place in range(touched):
            other = kept[place]
            scale = factors[item] * factors[other]
            found[place], real_found[place] = sums[other] * scale, real_sums[other] * scale
            ends[place + 1] = ends[place] + support[other]
            sums[other], real_sums[other], support[other] = 0.0, 0.0, 0
        rows = write_best(out, rows, item, kept[:touched], ends, found, real_found, best)
    return Neighbors(
        out.item[:rows],
        out.neighbor[:rows],
        out.similarity[:rows],
        out.support[:rows],
        out.synthetic_share[:rows],
    )
