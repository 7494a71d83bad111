"""Swing for one block of items, compiled (Yang et al., arXiv:2010.05525).

The similarity of items i and j sums over the unordered pairs {u, v} of users who have both:

    S(i, j) = sum of  w_u e_ui e_uj * w_v e_vi e_vj / (a2 + |I_u and I_v|),    w_u = (a1 + sum of
    u's edge weights)^-b

For one item i all of it can be had from the rows of its own m users, by a table of pairs of them
(`pair_table`): no hashing, no set intersection, and items are independent of each other, about
2 * sum |I_u|^2 + 4 * (number of terms) steps.

Terms are added in the order (u, v) of the users, whatever the size of the table, so equal input
gives equal bits.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array, UInt32Array, UInt64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.csr import (
    ITEM_SHIFT,
    ONE,
    ItemBlock,
    ItemCsr,
    UserCsr,
    entry_weights,
    row_totals,
)
from llm_i2i_spark.kernels.edge_format import SYNTHETIC
from llm_i2i_spark.kernels.hash_sampling import users_of_block
from llm_i2i_spark.kernels.pair_table import Occurrences, allocate_pair_sums, sum_pairs
from llm_i2i_spark.kernels.top_k import (
    Neighbors,
    allocate_neighbors,
    allocate_top_k,
    append_best,
    first_rows,
)

TABLE_CELLS = 1 << 22
"""Cells of the table of user pairs at most: 16 MiB."""

ABSENT = np.uint64(2**64 - 1)


@compiled
def user_weights(csr: UserCsr, weights: Float64Array, a1: float, b: float) -> Float64Array:
    """(users,) w_u of every user.

    Args:
        csr: the users.
        weights: of all entries, from `entry_weights`.
        a1: added to the user's total.
        b: the exponent, in its positive sign.
    """
    powers: Float64Array = (a1 + row_totals(csr, weights)) ** -b
    return powers


@compiled
def swing_block(
    csr: UserCsr, block: ItemBlock, a1: float, a2: float, b: float, top_k: int
) -> Neighbors:
    """The best `top_k` neighbours of every item of a block.

    Args:
        csr: the whole rows of all users who have an item of the block.
        block: whose rows are wanted, and the cap of users an item.
        a1: added to a user's total in its weight.
        a2: added to the number of common items in the denominator.
        b: exponent of the user weights.
        top_k: neighbours kept an item, by similarity, then by item index.

    Returns:
        Support is the users of both items; the synthetic share is what is gone when only pairs of
        users count all four of whose edges are real.
    """
    items = users_of_block(csr, block)
    indptr = csr.indptr.astype(np.uint64)
    weights = entry_weights(csr)
    w = user_weights(csr, weights, a1, b)
    most_users, most_entries, longest = _extent(csr, items)
    table = np.zeros(max(min(most_users * most_users, TABLE_CELLS), most_users), np.uint32)
    reciprocals = _reciprocals(a2, longest)
    n_items = len(block.block_of_item)
    counts, kept = np.zeros(n_items, np.uint32), np.empty(n_items, np.uint32)
    most_neighbors = min(most_entries, n_items) + 1
    memory = _allocate_occurrences(most_neighbors, most_entries, len(weights) > 0)
    sums = allocate_pair_sums(most_neighbors)
    best = allocate_top_k(top_k)
    out = allocate_neighbors(csr, items, top_k, 2)
    rows = 0
    for t in range(len(items.items)):
        users = items.indices[items.indptr[t] : items.indptr[t + 1]]
        if len(users) < 2:
            continue
        item = items.items[t]
        neighbors = kept[: _count_neighbors(csr.indices, indptr, users, item, counts, kept)]
        entries = items.entries[items.indptr[t] : items.indptr[t + 1]]
        found = _find_occurrences(
            csr.indices, indptr, weights, w, users, entries, counts, neighbors, memory, sums.begin
        )
        sum_pairs(found, len(users), reciprocals, table, sums)
        rows = append_best(
            out, rows, item, neighbors, found.indptr, sums.sums, sums.real_sums, best
        )
    return first_rows(out, rows)


@compiled
def _reciprocals(a2: float, longest: int) -> Float64Array:
    """1 / (a2 + n + 1) by n, the items that two users have in common beside the item itself."""
    reciprocals = np.empty(longest + 1)
    for n in range(longest + 1):
        reciprocals[n] = 1.0 / (a2 + (n + 1))
    return reciprocals


@compiled
def _allocate_occurrences(neighbors: int, entries: int, weighted: bool) -> Occurrences:
    """Working memory for the users of the neighbours of one item."""
    return Occurrences(
        np.zeros(neighbors, np.uint64),
        np.empty(entries, np.uint32),
        np.empty(entries),
        np.empty(entries if weighted else 0, np.bool_),
    )


@compiled
def _extent(csr: UserCsr, items: ItemCsr) -> tuple[int, int, int]:
    """The most users of an item, the most entries that an item's users have together, the longest
    row of a user.
    """
    most_users, most_entries, longest = 0, 0, 0
    for t in range(len(items.items)):
        reach = 0
        for user in items.indices[items.indptr[t] : items.indptr[t + 1]]:
            length = csr.indptr[user + 1] - csr.indptr[user]
            reach += length
            longest = max(longest, length)
        most_users = max(most_users, items.indptr[t + 1] - items.indptr[t])
        most_entries = max(most_entries, reach)
    return most_users, most_entries, longest


@compiled
def _count_neighbors(
    edges: UInt32Array,
    indptr: UInt64Array,
    users: UInt32Array,
    item: int,
    counts: UInt32Array,
    kept: UInt32Array,
) -> int:
    """Count the other items of an item's users; those of two users or more are written to `kept`
    and their counts to `counts`. Returns how many there are.
    """
    touched = 0
    for user in users:
        for entry in range(indptr[user], indptr[user + ONE]):
            other = edges[entry] >> ITEM_SHIFT
            if counts[other] == 0:
                kept[touched] = other
                touched += 1
            counts[other] += 1
    counts[item] = 0
    n_kept = 0
    for other in kept[:touched]:
        if counts[other] >= 2:
            kept[n_kept] = other
            n_kept += 1
        else:
            counts[other] = 0
    return n_kept


@compiled
def _find_occurrences(
    edges: UInt32Array,
    indptr: UInt64Array,
    weights: Float64Array,
    w: Float64Array,
    users: UInt32Array,
    entries: Int64Array,
    counts: UInt32Array,
    kept: UInt32Array,
    memory: Occurrences,
    free: UInt64Array,
) -> Occurrences:
    """The users of each kept neighbour and how strongly they have it. Zeroes `counts`."""
    found_indptr = memory.indptr[: len(kept) + 1]
    for t in range(len(kept)):
        found_indptr[t + 1] = found_indptr[t] + counts[kept[t]]
        free[t] = found_indptr[t]
        # From here on the neighbour's position plus one, 0 for items that are not kept.
        counts[kept[t]] = t + 1
    weighted = len(weights) > 0
    for local in range(len(users)):
        user = users[local]
        begin, end = indptr[user], indptr[user + ONE]
        if weighted:
            strength = w[user] * weights[entries[local]]
            marks = edges[entries[local]]
            for entry in range(begin, end):
                t = counts[edges[entry] >> ITEM_SHIFT] - ONE
                if t != ABSENT:
                    memory.users[free[t]] = local
                    memory.strengths[free[t]] = strength * weights[entry]
                    memory.real[free[t]] = not (edges[entry] | marks) & SYNTHETIC
                    free[t] += ONE
        else:
            strength = w[user]
            for entry in range(begin, end):
                t = counts[edges[entry] >> ITEM_SHIFT] - ONE
                if t != ABSENT:
                    memory.users[free[t]] = local
                    memory.strengths[free[t]] = strength
                    free[t] += ONE
    for other in kept:
        counts[other] = 0
    n = found_indptr[-1]
    return Occurrences(
        found_indptr, memory.users[:n], memory.strengths[:n], memory.real[: n if weighted else 0]
    )
