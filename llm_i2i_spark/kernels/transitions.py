"""Next-item transitions: how often, and how soon, users went from one item to another. Not
symmetric.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    Blocks,
    UserLists,
    compiled,
    user_order,
    users_of_items,
)
from llm_i2i_spark.kernels.edge_format import SYNTHETIC
from llm_i2i_spark.kernels.top_k import Best, Neighbors, room_for_neighbors, write_best


@compiled
def transitions_block(
    lists: UserLists, block_of: Blocks, block: int, steps: int, top_k: int
) -> Neighbors:
    """S(i, j) = sum of 1 / (steps from i to j) over the users who clicked j at most `steps` real
    clicks after i.

    With one step a first-order Markov chain; with more the sequential rules of Ludewig and Jannach
    (UMUAI 2018).

    Args:
        lists: the whole lists of all users who have an item of the block, in the order of their
            clicks.
        block_of: the block of each item, by number.
        block: whose items are wanted.
        steps: how far ahead is looked.
        top_k: neighbours kept an item, by similarity, then by item number.

    Returns:
        Similarities; the users behind each; shares of 0, since a synthetic interaction has no place
        in a sequence.
    """
    of_items = users_of_items(lists, user_order(lists), block_of, block)
    n_items = len(block_of)
    support, kept, sums = (
        np.zeros(n_items, np.uint32),
        np.empty(n_items, np.uint32),
        np.zeros(n_items),
    )
    ends, found = np.zeros(n_items + 1, np.uint64), np.empty(n_items)
    best = Best(np.empty(top_k, np.uint32), np.empty(top_k))
    out = room_for_neighbors(lists, of_items, top_k, 1)
    rows = 0
    for t in range(len(of_items.items)):
        touched = 0
        for place in range(of_items.starts[t], of_items.starts[t + 1]):
            own, end = of_items.edges[place], lists.offsets[of_items.users[place] + 1]
            if lists.edges[own] & SYNTHETIC:
                continue
            for edge in range(own + 1, min(own + 1 + steps, end)):
                if lists.edges[edge] & SYNTHETIC:
                    break
                other = lists.edges[edge] >> ITEM_SHIFT
                if support[other] == 0:
                    kept[touched] = other
                    touched += 1
                support[other] += 1
                sums[other] += 1.0 / (edge - own)
        for place in range(touched):
            other = kept[place]
            found[place] = sums[other]
            ends[place + 1] = ends[place] + support[other]
            sums[other], support[other] = 0.0, 0
        rows = write_best(
            out, rows, of_items.items[t], kept[:touched], ends, found, found.copy(), best
        )
    return Neighbors(
        out.item[:rows],
        out.neighbor[:rows],
        out.similarity[:rows],
        out.support[:rows],
        out.synthetic_share[:rows],
    )
